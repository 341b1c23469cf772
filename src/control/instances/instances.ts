import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import type { ControlSchema } from '../../database/schema.ts';
import type { StoreChannel } from '../../database/store-channel.ts';
import { CancelKeys } from './cancel-keys.ts';
import { CancelRelay } from './cancel-relay.ts';
import { livingNumbers, renewNumber, signOfLife, takeIdentity } from './identity.ts';
import { GossipedCounts } from './session-counts.ts';

const renewalMs = 60_000;

/** This proxy among those that share its store. */
export interface Instances {
  readonly number: number;
  readonly cancelKeys: CancelKeys;
  readonly cancels: CancelRelay;
  readonly counts: GossipedCounts;
  stop(): Promise<void>;
}

/** Before `channel.start`. */
export async function joinInstances(
  db: Kysely<ControlSchema>,
  channel: StoreChannel,
  log: Logger,
): Promise<Instances> {
  const identity = await takeIdentity(db);
  const cancelKeys = new CancelKeys(identity);
  channel.beginWith(signOfLife(identity.number));
  const living = (): Promise<Set<number>> => livingNumbers(db);
  const counts = new GossipedCounts({ identity, channel, living, log });
  const cancels = new CancelRelay({
    identity,
    keys: cancelKeys,
    channel,
    isAlive: (instance) => counts.isAlive(instance),
    log,
  });
  const renew = (): void => {
    renewNumber(db, identity.number).catch((error: unknown) => {
      log.debug({ err: error }, 'the number of this instance was not renewed');
    });
  };
  const renewal = setInterval(renew, renewalMs).unref();
  counts.start();
  return {
    number: identity.number,
    cancelKeys,
    cancels,
    counts,
    stop: async () => {
      clearInterval(renewal);
      await counts.stop();
    },
  };
}
