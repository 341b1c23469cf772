import type { Kysely } from 'kysely';
import type { Logger } from 'pino';
import { appendIamRecords, type IamRecord } from '../../audit/iam.ts';
import type { ControlSchema } from '../../database/schema.ts';
import type { LoginRecord, LoginSink } from '../../ports.ts';
import { redactSecrets } from '../../shared/redact.ts';

/** Records kept in memory while the store is slow or away; what does not fit is counted, and the count is recorded. */
const longestQueue = 10_000;
const batchSize = 500;
const retryMs = 1_000;

/** Writes logins to the IAM audit in batches, so that a login never waits for the store. */
export class LoginJournal implements LoginSink {
  private readonly db: Kysely<ControlSchema>;
  private readonly log: Logger;
  private queue: IamRecord[] = [];
  private dropped = 0;
  private writing: Promise<void> | undefined;

  constructor(parts: { db: Kysely<ControlSchema>; log: Logger }) {
    this.db = parts.db;
    this.log = parts.log;
  }

  record(login: LoginRecord): void {
    if (this.queue.length >= longestQueue) this.dropped += 1;
    else this.queue.push(iamRecord(login));
    this.writing ??= this.drain().finally(() => {
      this.writing = undefined;
    });
  }

  /** Waits for what is queued, for as long as the store takes it. */
  async flush(): Promise<void> {
    await this.writing;
  }

  private async drain(): Promise<void> {
    for (let failures = 0; this.queue.length > 0 && failures < 3;) {
      const batch = this.queue.slice(0, batchSize);
      const { dropped } = this;
      const records = dropped === 0 ? batch : [...batch, unrecorded(dropped)];
      try {
        await appendIamRecords(this.db, records);
        this.queue = this.queue.slice(batch.length);
        this.dropped -= dropped;
        failures = 0;
      } catch (error) {
        failures += 1;
        this.log.warn(
          { err: error, waiting: this.queue.length },
          'logins could not be recorded yet',
        );
        await new Promise((resolve) => setTimeout(resolve, retryMs).unref());
      }
    }
  }
}

function iamRecord(login: LoginRecord): IamRecord {
  const { principal, source, claimedAgent, applicationName } = login;
  return {
    action: login.outcome === 'accepted' ? 'login.accepted' : 'login.refused',
    actor: principal?.agent ?? 'unknown',
    actorKeyId: principal?.kind === 'key' ? principal.keyId : null,
    source,
    target: null,
    // What a client says of itself could be anything, a key among others.
    detail: {
      claimedAgent: redacted(claimedAgent),
      applicationName: redacted(applicationName),
    },
  };
}

const longestClaim = 200;

function redacted(claim: string | undefined): string | null {
  return claim === undefined ? null : redactSecrets(claim.slice(0, longestClaim));
}

function unrecorded(count: number): IamRecord {
  return {
    action: 'login.unrecorded',
    actor: 'hatidata',
    actorKeyId: null,
    source: '',
    target: null,
    detail: { count },
  };
}
