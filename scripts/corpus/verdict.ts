/**
 * HatiData's own verdict for a readonly key. The one file here that knows how the product judges; a change of its API
 * is a change of this file.
 */
import pg from 'pg';
import { buildCatalogue } from '../../src/engine/catalogue/build.ts';
import {
  builtinsSql,
  fingerprintSql,
  ownPathSql,
  type BuiltinRow,
} from '../../src/engine/catalogue/queries.ts';
import { ViewReader, type ReadSql } from '../../src/engine/catalogue/views.ts';
import { HatiError, type ErrorCode } from '../../src/errors.ts';
import { readonlyAuthority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import { emptyCatalogue, type Catalogue } from '../../src/policy/catalogue.ts';
import { SearchedSchemas } from '../../src/proxy/searched-schemas.ts';
import { StatementReader } from '../../src/sql/reader.ts';

export type Verdict =
  /** `text`: what would be sent in place of the client's. */
  | { readonly kind: 'allowed'; readonly text: string | undefined }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly reason: string }
  /** It could not be read or understood, and was refused for that. */
  | { readonly kind: 'notUnderstood'; readonly code: ErrorCode; readonly reason: string };

/** Refusals by the documented rule on functions and what resolves to them. */
export const functionRuleCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'function_not_allowed',
  'type_not_allowed',
]);

export async function startReader(): Promise<StatementReader> {
  const reader = new StatementReader({
    cacheBytes: 32 * 1024 * 1024,
    statementBytes: 16 * 1024 * 1024,
    workers: 1,
    deadlineMs: 5_000,
  });
  await reader.start();
  return reader;
}

/** Judges for one session of one database, by what that held when it was last looked at. */
export class Judge {
  readonly #reader: StatementReader;
  readonly #read: ReadSql;
  readonly #views: ViewReader;
  readonly #client: pg.Client;
  #catalogue: Catalogue = emptyCatalogue;
  #searched = new SearchedSchemas([], undefined);
  #fingerprint: string | undefined;
  #isConnected = false;

  /** @param login the reader's. */
  constructor(reader: StatementReader, login: pg.ClientConfig) {
    this.#reader = reader;
    this.#read = (text) => reader.read(Buffer.from(text, 'utf8'));
    this.#views = new ViewReader(this.#read);
    this.#client = new pg.Client(login);
    this.#client.on('error', () => undefined);
  }

  /** Takes a fresh snapshot of the catalogue. */
  async look(): Promise<void> {
    if (!this.#isConnected) await this.#client.connect();
    this.#isConnected = true;
    await this.#client.query('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    try {
      await this.#client.query(ownPathSql);
      const found = await this.#client.query<{ fingerprint: string }>(fingerprintSql);
      const fingerprint = found.rows[0]?.fingerprint;
      if (fingerprint === this.#fingerprint) return;
      const { rows } = await this.#client.query<BuiltinRow>(builtinsSql);
      const built = await buildCatalogue(this.#client, rows, this.#read, this.#views);
      this.#catalogue = built.catalogue;
      this.#fingerprint = fingerprint;
    } finally {
      await this.#client.query('ROLLBACK');
    }
  }

  /** The next text is the first one of a new session. */
  beginSession(): void {
    this.#searched = new SearchedSchemas([], undefined);
  }

  async verdict(text: string): Promise<Verdict> {
    try {
      const classified = await this.#reader.read(Buffer.from(text, 'utf8'));
      const searched = this.#searched.after(classified, this.#catalogue);
      const refusal = authorize(readonlyAuthority, classified, this.#catalogue, searched);
      if (refusal === undefined) {
        this.#searched.add(classified);
        return { kind: 'allowed', text: classified.rewritten };
      }
      const isUnknown = classified.statements.some(({ acts }) =>
        acts.some((act) => act.class === 'unknown'),
      );
      const kind = isUnknown ? 'notUnderstood' : 'refused';
      return { kind, code: refusal.code, reason: refusal.message };
    } catch (error) {
      if (error instanceof HatiError)
        return { kind: 'notUnderstood', code: error.code, reason: error.message };
      throw error;
    }
  }

  async close(): Promise<void> {
    if (this.#isConnected) await this.#client.end().catch(() => undefined);
  }
}
