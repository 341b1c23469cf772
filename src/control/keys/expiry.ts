import type { Kysely } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import { adminAuthority } from '../../policy/authority.ts';
import type { SecretId } from '../../ports.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import type { Act, ActOrigin, Acts } from '../act.ts';
import { Job } from '../job.ts';
import { shownPrefix, uncollectedPurpose } from './model.ts';
import type { KeyService } from './service.ts';
import {
  dueForRotation,
  endKeys,
  endOldSecrets,
  isDueForRotation,
  keepUncollected,
  markEndingKeys,
  markEndingSecrets,
  type Ended,
  type Ending,
} from './schedule-store.ts';
import { lockKey } from './store.ts';
import { tellEnded } from './secret-store.ts';

export interface KeyTimesParts {
  readonly db: Kysely<ControlSchema>;
  readonly acts: Acts;
  readonly keys: KeyService;
  readonly box: SecretBox;
  readonly clock: Clock;
  readonly log: Logger;
}

const tickMs = 1_000;
/** How long before the end `key.expiring` is sent. */
const noticeMs = 24 * 3_600_000;
/** Of a rotation by schedule, like the default of one by hand. */
const graceHours = 72;
/** In one transaction. */
const most = 100;

const origin: ActOrigin = {
  actor: 'key schedule',
  actorKeyId: null,
  source: 'local',
  requestId: null,
};

/**
 * What time brings for keys: secrets are replaced by schedule, it is told beforehand that one ends, and it ends. Any number of proxies
 * do it side by side: what one does is marked in the transaction that tells of it.
 */
export class KeyTimes {
  private readonly parts: KeyTimesParts;
  private readonly job: Job;

  constructor(parts: KeyTimesParts) {
    this.parts = parts;
    const { log } = parts;
    this.job = new Job({ name: 'ends of keys', everyMs: tickMs, work: () => this.work(), log });
  }

  start(): void {
    this.job.start();
  }

  async stop(): Promise<void> {
    await this.job.stop();
  }

  private async work(): Promise<void> {
    const { acts } = this.parts;
    // First what ends, since nobody may use it any longer.
    const ended = await acts.run(origin, endDue);
    const rotated = await this.rotateDue();
    const told = await acts.run(origin, tellDue);
    // There may be more of them.
    if (Math.max(ended, rotated, told) === most) this.job.wake();
  }

  /** Each by itself: one that can't be rotated does not hold up the others. */
  private async rotateDue(): Promise<number> {
    const { db, acts, clock, log } = this.parts;
    const due = await dueForRotation(db, clock(), most);
    let rotated = 0;
    for (const { key_id: keyId, env_id: envId } of due) {
      try {
        if (await acts.run(origin, (act) => this.rotate(act, envId, keyId))) rotated += 1;
      } catch (error) {
        log.error({ err: error, key: keyId }, 'a key could not be rotated by its schedule');
      }
    }
    return rotated;
  }

  /** @returns whether it was due, still */
  private async rotate(act: Act, envId: string, keyId: string): Promise<boolean> {
    const { keys, box } = this.parts;
    const key = await lockKey(act.tx, envId, keyId);
    if (key === undefined || !(await isDueForRotation(act.tx, keyId, act.now))) return false;
    const actor = { id: origin.actor, receiver: origin.actor, authority: adminAuthority };
    const how = { graceHours, isRest: true, isAutomatic: true };
    const { secret, secretId } = await keys.rotate(act, actor, key, how);
    const sealed = box.seal(secret, uncollectedPurpose(secretId));
    await keepUncollected(act.tx, { keyId, secretId, sealed, createdAt: act.now });
    return true;
  }
}

/** @returns of the one or the other kind, how many there were at the most */
async function endDue(act: Act): Promise<number> {
  const keys = await endKeys(act.tx, act.now, most);
  const secrets = await endOldSecrets(act.tx, act.now, most);
  for (const key of keys) await noteEnd(act, 'key', key);
  for (const secret of secrets) await noteEnd(act, 'old_secret', secret);
  return Math.max(keys.length, secrets.length);
}

async function noteEnd(act: Act, what: 'old_secret' | 'key', ended: Ended): Promise<void> {
  await tellEnded(act.tx, ended.secrets as readonly SecretId[]);
  const { key_id: keyId, name, org_id: orgId, env_id: envId } = ended;
  act.record({ action: 'key.expired', target: name, orgId, envId, detail: { keyId, what } });
}

/** The same. */
async function tellDue(act: Act): Promise<number> {
  const when = { now: act.now, soon: new Date(act.now.getTime() + noticeMs), most };
  const secrets = await markEndingSecrets(act.tx, when);
  const keys = await markEndingKeys(act.tx, when);
  for (const secret of secrets) emitExpiring(act, 'old_secret', secret);
  for (const key of keys) emitExpiring(act, 'key', key);
  return Math.max(secrets.length, keys.length);
}

function emitExpiring(act: Act, what: 'old_secret' | 'key', ending: Ending): void {
  act.emit({
    type: 'key.expiring',
    orgId: ending.org_id,
    envId: ending.env_id,
    data: {
      key_id: ending.key_id,
      name: ending.name,
      what,
      prefix: shownPrefix(ending.prefix),
      expires_at: ending.expires_at.toISOString(),
    },
  });
}
