import type { Logger } from 'pino';
import type { StoreChannel } from '../../database/store-channel.ts';
import { Tally } from '../../metrics/tally.ts';
import type { CancelKey } from '../../ports.ts';
import type { CancelKeys } from './cancel-keys.ts';
import type { Identity } from './identity.ts';

/** How long another instance may take to cancel. */
const patienceMs = 5_000;
/** Keys whose requests are under way to other instances at one time; those of more are dropped. */
const mostUnderWay = 256;

export const forwardOutcomes = ['acknowledged', 'unanswered', 'dropped'] as const;
type Outcome = (typeof forwardOutcomes)[number];

export interface CancelRelayParts {
  readonly identity: Identity;
  readonly keys: CancelKeys;
  readonly channel: StoreChannel;
  /** Whether that instance has been heard of lately. */
  readonly isAlive: (instance: number) => boolean;
  readonly log: Logger;
}

/** A message on the channel of one instance. */
type Message =
  | {
      readonly kind: 'cancel';
      readonly id: number;
      readonly from: number;
      readonly processId: number;
      /** Hexadecimal. */
      readonly secret: string;
    }
  | { readonly kind: 'done'; readonly id: number };

interface UnderWay {
  /** Never rejects. */
  readonly sent: Promise<void>;
  /** For all that came since; begins when this one is over. */
  behind: Promise<void> | undefined;
}

/** Brings cancel requests to the instance that holds the session, and what others send here to our sessions. */
export class CancelRelay {
  readonly outcomes = new Tally(forwardOutcomes);
  private readonly parts: CancelRelayParts;
  /** By key. */
  private readonly underWay = new Map<string, UnderWay>();
  private readonly awaited = new Map<number, (outcome: Outcome) => void>();
  private cancelHere: (key: CancelKey) => Promise<void> = () => Promise.resolve();
  private lastId = 0;

  constructor(parts: CancelRelayParts) {
    this.parts = parts;
    const { channel, identity } = parts;
    channel.receive(channelOf(identity.number), (payload) => void this.onMessage(payload));
  }

  onCancel(cancelHere: (key: CancelKey) => Promise<void>): void {
    this.cancelHere = cancelHere;
  }

  /**
   * One request of a key is under way at a time, and one waits behind it for all that come meanwhile: the first may have arrived
   * before what they are to cancel began. Resolves when the other instance has done it, or nobody does it. Never rejects.
   */
  async forward(key: CancelKey): Promise<void> {
    const instance = this.parts.keys.issuedElsewhere(key);
    if (instance === undefined) return;
    const name = `${key.processId} ${key.secret.toString('hex')}`;
    const ahead = this.underWay.get(name);
    if (ahead !== undefined) {
      ahead.behind ??= ahead.sent.then(() => this.begin(name, instance, key));
      return ahead.behind;
    }
    if (this.underWay.size < mostUnderWay) return this.begin(name, instance, key);
    this.outcomes.add('dropped');
  }

  private async begin(name: string, instance: number, key: CancelKey): Promise<void> {
    if (!this.parts.isAlive(instance)) {
      this.underWay.delete(name);
      this.outcomes.add('dropped');
      return;
    }
    const request: UnderWay = {
      sent: this.send(instance, key).then(() => {
        if (request.behind === undefined) this.underWay.delete(name);
      }),
      behind: undefined,
    };
    this.underWay.set(name, request);
    await request.sent;
  }

  private async send(instance: number, { processId, secret }: CancelKey): Promise<void> {
    const { identity, log } = this.parts;
    const id = (this.lastId += 1);
    const answer = this.answerTo(id);
    const from = identity.number;
    try {
      await this.publish(instance, {
        kind: 'cancel',
        id,
        from,
        processId,
        secret: secret.toString('hex'),
      });
    } catch (error) {
      log.warn({ err: error, instance }, 'a cancel request did not reach its instance');
      this.awaited.get(id)?.('unanswered');
    }
    await answer;
  }

  private answerTo(id: number): Promise<void> {
    return new Promise((resolve) => {
      const settle = (outcome: Outcome): void => {
        clearTimeout(timer);
        this.awaited.delete(id);
        this.outcomes.add(outcome);
        resolve();
      };
      const timer = setTimeout(() => settle('unanswered'), patienceMs);
      this.awaited.set(id, settle);
    });
  }

  private async onMessage(payload: string): Promise<void> {
    try {
      const message = JSON.parse(payload) as Message;
      if (message.kind === 'done') {
        this.awaited.get(message.id)?.('acknowledged');
        return;
      }
      const { id, from, processId, secret } = message;
      await this.cancelHere({ processId, secret: Buffer.from(secret, 'hex') });
      await this.publish(from, { kind: 'done', id });
    } catch (error) {
      this.parts.log.warn({ err: error }, 'a cancel request of another instance went wrong');
    }
  }

  private publish(instance: number, message: Message): Promise<void> {
    return this.parts.channel.publish(channelOf(instance), JSON.stringify(message));
  }
}

function channelOf(instance: number): string {
  return `hatidata_instance_${instance}`;
}
