import type pg from 'pg';
import type { UserRelation } from '../../policy/catalogue.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import { definitionsSql, type RelationRow } from './queries.ts';

/** Reads SQL that the database printed: definitions of views, checks of domains. */
export type ReadSql = (text: string) => ClassifiedText | Promise<ClassifiedText>;

export type ViewDefinition = NonNullable<UserRelation['view']>;

/** To print a view PostgreSQL locks what it reads; who holds such a lock must not hold up everybody's catalogue. */
const lockTimeoutMs = 100;
/** Of a lock that somebody holds; of a view that was dropped behind the transaction's snapshot, for which there is no state of its own. */
const notNow = new Set<unknown>(['55P03', 'XX000']);
/** How many are asked for one by one when they could not be had together. */
const mostSingly = 50;

/** Reads the definitions of views, each once: until it changes, what was read stays good. */
export class ViewReader {
  private readonly sql: ReadSql;
  private known = new Map<string, { readonly version: string; readonly view: ViewDefinition }>();

  constructor(sql: ReadSql) {
    this.sql = sql;
  }

  /** @param client in a transaction. */
  async read(
    client: pg.ClientBase,
    rows: readonly RelationRow[],
  ): Promise<ReadonlyMap<string, ViewDefinition>> {
    const views = rows.flatMap(({ oid, version, isTooLong }) =>
      version === null ? [] : [{ oid, version, isTooLong }],
    );
    const changed = views.filter(
      ({ oid, version, isTooLong }) => !isTooLong && this.known.get(oid)?.version !== version,
    );
    const printed = await print(
      client,
      changed.map(({ oid }) => oid),
    );
    const known: typeof this.known = new Map();
    const all = new Map<string, ViewDefinition>();
    for (const { oid, version } of views) {
      const before = this.known.get(oid);
      const view = before?.version === version ? before.view : await this.parse(printed.get(oid));
      all.set(oid, view);
      if (view !== 'unreadable') known.set(oid, { version, view });
    }
    this.known = known;
    return all;
  }

  private async parse(definition: string | undefined): Promise<ViewDefinition> {
    if (definition === undefined) return 'unreadable';
    try {
      return (await this.sql(definition)).statements[0] ?? 'unreadable';
    } catch {
      return 'unreadable';
    }
  }
}

async function print(
  client: pg.ClientBase,
  oids: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const together = await attempt(client, oids);
  if (together !== undefined) return together;
  const singly = new Map<string, string>();
  for (const oid of oids.slice(0, mostSingly)) {
    const definition = (await attempt(client, [oid]))?.get(oid);
    if (definition !== undefined) singly.set(oid, definition);
  }
  return singly;
}

/** @returns undefined when one of them can't be printed now. */
async function attempt(
  client: pg.ClientBase,
  oids: readonly string[],
): Promise<ReadonlyMap<string, string> | undefined> {
  if (oids.length === 0) return new Map();
  await client.query(`SAVEPOINT print; SET LOCAL lock_timeout = ${lockTimeoutMs}`);
  try {
    const { rows } = await client.query<{ oid: string; definition: string }>(definitionsSql, [
      oids,
    ]);
    return new Map(rows.map(({ oid, definition }) => [oid, definition]));
  } catch (error) {
    if (error instanceof Error && 'code' in error && notNow.has(error.code)) return undefined;
    throw error;
  } finally {
    await client.query('ROLLBACK TO print');
  }
}
