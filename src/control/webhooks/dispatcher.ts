import type { Kysely } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import type { Clock } from '../../shared/clock.ts';
import type { Logger } from '../../shared/log.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import { packageVersion } from '../../shared/version.ts';
import type { Act, ActOrigin, Acts } from '../act.ts';
import { Job } from '../job.ts';
import { claimDue, giveBack, report, type Claim } from './claims.ts';
import { forgetBefore } from './delivery-store.ts';
import { delayAfter, longestFailureMs, originOf, secretPurpose } from './model.ts';
import { send, type Outcome } from './send.ts';
import { signaturesOf } from './signature.ts';
import { changeWebhook, lockWebhook } from './store.ts';
import { guardedLookup } from './targets.ts';

export interface DispatcherParts {
  readonly db: Kysely<ControlSchema>;
  readonly acts: Acts;
  readonly box: SecretBox;
  /** `api.webhook_private_targets` */
  readonly allowsPrivate: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** For one try; a test's. */
  readonly limitMs?: number;
}

const tickMs = 1_000;
const mostUnderWay = 64;
const tryLimitMs = 10_000;
const forgetEveryMs = 3_600_000;
/** How long events and deliveries are kept. */
const keptMs = 30 * 24 * 3_600_000;

const origin: ActOrigin = {
  actor: 'webhook dispatcher',
  actorKeyId: null,
  source: 'local',
  requestId: null,
};

/**
 * Sends what waits. Those of several proxies share the work: whoever claims a delivery in the store sends it, and the next of that
 * webhook cannot be claimed until it is through. A process that dies leaves claims that run out, and others send again what it may have
 * sent: at least once.
 */
export class Dispatcher {
  private readonly parts: DispatcherParts;
  private readonly claiming: Job;
  private readonly forgetting: Job;
  private readonly underWay = new Set<Promise<void>>();
  private readonly stopping = new AbortController();

  constructor(parts: DispatcherParts) {
    this.parts = parts;
    const { db, clock, log } = parts;
    this.claiming = new Job({
      name: 'webhook deliveries',
      everyMs: tickMs,
      work: () => this.claim(),
      log,
    });
    this.forgetting = new Job({
      name: 'old events',
      everyMs: forgetEveryMs,
      work: () => forgetBefore(db, new Date(clock().getTime() - keptMs)),
      log,
    });
  }

  start(): void {
    this.claiming.start();
    this.forgetting.start();
  }

  /** There may be something to send. */
  wake(): void {
    this.claiming.wake();
  }

  /** What is under way is broken off and given back. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.claiming.stop();
    await this.forgetting.stop();
    await Promise.all(this.underWay);
  }

  private async claim(): Promise<void> {
    const { db, clock } = this.parts;
    const free = mostUnderWay - this.underWay.size;
    if (free === 0) return;
    for (const claim of await claimDue(db, clock(), free)) {
      const delivery = this.deliver(claim)
        .catch((error: unknown) => this.complain(claim, error))
        .finally(() => {
          this.underWay.delete(delivery);
          // The next one of this webhook, or of one that had to wait for a place.
          this.wake();
        });
      this.underWay.add(delivery);
    }
  }

  private async deliver(claim: Claim): Promise<void> {
    const { acts, db } = this.parts;
    const begun = performance.now();
    const outcome = await this.attempt(claim);
    if (outcome.status === undefined && this.stopping.signal.aborted) {
      await giveBack(db, claim);
      return;
    }
    const durationMs = Math.round(performance.now() - begun);
    await acts.run(origin, (act) => settle(act, claim, { ...outcome, durationMs }));
  }

  private async attempt(claim: Claim): Promise<Outcome> {
    const { allowsPrivate, limitMs = tryLimitMs } = this.parts;
    let headers: Readonly<Record<string, string>>;
    try {
      headers = this.headersOf(claim);
    } catch {
      const error = 'its signing secret cannot be opened: control.secret_key is another one';
      return { status: undefined, error };
    }
    const lookup = allowsPrivate ? undefined : guardedLookup();
    const { signal } = this.stopping;
    return await send({ url: claim.url, headers, body: claim.body }, { limitMs, lookup, signal });
  }

  private headersOf(claim: Claim): Readonly<Record<string, string>> {
    return {
      'content-type': 'application/json',
      'user-agent': `HatiData-Webhooks/${packageVersion()}`,
      'x-hatidata-signature': signaturesOf(claim.body, this.secretsOf(claim)),
      'x-hatidata-event-type': claim.type,
      'x-hatidata-event-id': claim.event_id,
      'x-hatidata-timestamp': claim.created_at.toISOString(),
      'x-hatidata-delivery-attempt': String(claim.attempt),
    };
  }

  private secretsOf(claim: Claim): readonly string[] {
    const { box, clock } = this.parts;
    const { secret, previous_secret: previous, previous_secret_until: until } = claim;
    const isPreviousGood = previous !== null && until !== null && until > clock();
    const purpose = secretPurpose(claim.webhook_id);
    return [secret, ...(isPreviousGood ? [previous] : [])].map((each) => box.open(each, purpose));
  }

  private complain(claim: Claim, error: unknown): void {
    const { delivery_id: delivery, webhook_id: webhook } = claim;
    this.parts.log.warn({ err: error, delivery, webhook }, 'a delivery could not be settled');
  }
}

/** Writes down how a try went. */
async function settle(
  act: Act,
  claim: Claim,
  { status, error, durationMs }: Outcome & { readonly durationMs: number },
): Promise<void> {
  const { tx, now } = act;
  const { org_id: orgId, webhook_id: webhookId } = claim;
  // First, as everybody else who locks both.
  const webhook = await lockWebhook(tx, orgId, webhookId);
  if (webhook === undefined) return;
  const tried = { status, error, durationMs };
  if (error === undefined) {
    if (!(await report(tx, claim, { ...tried, state: 'delivered', deliveredAt: now }))) return;
    await noteTry(act, webhookId, {
      failure_count: 0,
      failing_since: null,
      last_delivered_at: now,
      last_status_code: status ?? null,
    });
    return;
  }
  const failingSince = webhook.failing_since ?? now;
  const isGivenUp = now.getTime() - failingSince.getTime() >= longestFailureMs;
  const nextAt = new Date(now.getTime() + delayAfter(claim.attempt, Math.random()));
  const state = isGivenUp ? 'failed' : 'pending';
  if (!(await report(tx, claim, { ...tried, state, nextAt }))) return;
  const failures = {
    failure_count: webhook.failure_count + 1,
    failing_since: failingSince,
    last_status_code: status ?? null,
  };
  await noteTry(act, webhookId, failures);
  if (!isGivenUp || webhook.status !== 'active') return;
  await changeWebhook(tx, webhookId, { status: 'disabled', updated_at: now });
  const told = {
    origin: originOf(claim.url),
    reason: 'failures' as const,
    failure_count: failures.failure_count,
    failing_since: failingSince.toISOString(),
  };
  act.record({ action: 'webhook.disabled', target: webhookId, orgId, detail: told });
  const data = { webhook_id: webhookId, ...told };
  act.emit({ type: 'webhook.disabled', orgId, data });
}

/** No new version: it is not what its owner edits. */
async function noteTry(
  { tx }: Act,
  webhookId: string,
  counts: {
    readonly failure_count: number;
    readonly failing_since: Date | null;
    readonly last_delivered_at?: Date;
    readonly last_status_code: number | null;
  },
): Promise<void> {
  await tx.updateTable('webhooks').set(counts).where('webhook_id', '=', webhookId).execute();
}
