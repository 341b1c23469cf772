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

  /** @returns false when the records had to go one by one, those of the queue alone. */
  private async write(records: readonly IamRecord[], queued: number): Promise<boolean> {
    try {
      await appendIamRecords(this.db, records);
      this.queue = this.queue.slice(queued);
      return true;
    } catch (error) {
      if (!isDataException(error)) throw error;
      await this.recordSingly(queued);
      return false;
    }
  }

  /** One record that the store can't hold must not stop those behind it. */
  private async recordSingly(count: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      try {
        await appendIamRecords(this.db, this.queue.slice(0, 1));
      } catch (error) {
        if (!isDataException(error)) throw error;
        this.log.error({ err: error }, 'a login could not be recorded');
        this.dropped += 1;
      }
      this.queue = this.queue.slice(1);
    }
  }

  private async drain(): Promise<void> {
    for (let failures = 0; this.queue.length > 0 && failures < 3;) {
      const batch = this.queue.slice(0, batchSize);
      const { dropped } = this;
      const records = dropped === 0 ? batch : [...batch, unrecorded(dropped)];
      try {
        if (await this.write(records, batch.length)) this.dropped -= dropped;
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

/** Class 22: the store understood, and refuses what it was given. */
function isDataException(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    error.code.startsWith('22')
  );
}

function iamRecord(login: LoginRecord): IamRecord {
  const { principal, source, claimedAgent, applicationName, certificate } = login;
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
      ...(certificate !== undefined && { certificate: redacted(certificate) }),
    },
  };
}

/** UTF-16 units. */
const longestClaim = 200;

/** Cutting may split a character in two, and JSON in the store takes no halves. */
function redacted(claim: string | undefined): string | null {
  if (claim === undefined) return null;
  return redactSecrets(claim.slice(0, longestClaim)).toWellFormed().replaceAll('\0', '');
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
