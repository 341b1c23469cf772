/**
 * Everything that a client could have changed, in a value that shows what: the system catalogues, every table, sequence
 * and materialized view, what lives in the server's memory, and its files. Taken by the superuser.
 *
 * Rows count with their place (ctid) and their transactions (xmin, xmax), so a row lock and a change that was undone are
 * seen as well. Autovacuum must be off.
 */
import { existsSync } from 'node:fs';
import type pg from 'pg';

/** Where statements of the catalogue try to write on the server's machine. */
export const canaryFile = '/tmp/hati-catalogue-canary';

/** The server makes these for each place of a session on first use, and keeps them; sessions are asked for theirs. */
const kept = " WHERE nspname !~ '^pg_(toast_)?temp_'";

/** Channels that statements of the catalogue notify. */
const channels = ['ch', 'a', 'b', 'catalogue'];

export type Digest = Readonly<Record<string, string>>;

const memory: Readonly<Record<string, string>> = {
  'prepared transactions': 'SELECT gid FROM pg_prepared_xacts',
  'advisory locks': "SELECT classid, objid, mode FROM pg_locks WHERE locktype = 'advisory'",
  'table locks of others': `SELECT relation, mode, pid FROM pg_locks
     WHERE database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND mode NOT IN ('AccessShareLock') AND pid <> pg_backend_pid()`,
  'server settings':
    "SELECT name, setting FROM pg_settings WHERE name !~ '^(transaction|hatidata)'",
  'settings in files': 'SELECT sourcefile, sourceline, name, setting FROM pg_file_settings',
  'replication slots': 'SELECT slot_name FROM pg_replication_slots',
  'exported snapshots': "SELECT f FROM pg_ls_dir('pg_snapshots') f",
  'statistics reset': `SELECT datname, stats_reset FROM pg_stat_database
     UNION ALL SELECT 'bgwriter', stats_reset FROM pg_stat_bgwriter
     UNION ALL SELECT 'wal', stats_reset FROM pg_stat_wal
     UNION ALL SELECT 'archiver', stats_reset FROM pg_stat_archiver
     UNION ALL SELECT name, stats_reset FROM pg_stat_slru`,
  'vacuumed and analysed': 'SELECT relid, vacuum_count, analyze_count FROM pg_stat_user_tables',
  bystanders:
    "SELECT pid, backend_start FROM pg_stat_activity WHERE application_name = 'bystander'",
};

export class Observer {
  private readonly superuser: pg.Client;
  private readonly notifications: string[] = [];
  /** What can't change without a record in the write-ahead log. */
  private logged = '';
  private unlogged = '';
  private position = '';
  private seen: readonly Value[] = [];

  constructor(superuser: pg.Client) {
    this.superuser = superuser;
    superuser.on('notification', ({ channel, payload }) =>
      this.notifications.push(`${channel}: ${payload ?? ''}`),
    );
  }

  async start(): Promise<void> {
    for (const channel of channels) await this.superuser.query(`LISTEN ${channel}`);
    // nextval writes to the log only now and then.
    const { rows } = await this.superuser.query<Relation>(`
      SELECT c.oid::regclass::text AS name, relkind = 'S' AS sequence, relkind <> 'S' AND relpersistence = 'p' AS logged
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
       WHERE relkind IN ('r', 'm', 'S') AND nspname <> 'information_schema' AND nspname !~ '^pg_(toast|temp)'
       ORDER BY 1`);
    const parts = (wanted: boolean): string[] =>
      rows.filter(({ logged }) => logged === wanted).map(partOf);
    this.logged = parts(true).join(' UNION ALL ');
    this.unlogged = [
      ...parts(false),
      ...Object.entries(memory).map(([name, query]) =>
        part(name, `SELECT q::text FROM (${query}) q`),
      ),
    ].join(' UNION ALL ');
  }

  /** Its length says that it looked at something. */
  async digest(): Promise<Digest> {
    const [position = ''] = await this.ask<string>('SELECT pg_current_wal_insert_lsn()::text');
    if (position !== this.position) this.seen = await this.values(this.logged);
    this.position = position;
    const unlogged = await this.values(this.unlogged);
    return {
      ...Object.fromEntries([...this.seen, ...unlogged].map(({ name, value }) => [name, value])),
      notifications: this.notifications.join(),
      file: String(existsSync(canaryFile)),
    };
  }

  private async values(sql: string): Promise<readonly Value[]> {
    return (await this.superuser.query<Value>(sql)).rows;
  }

  /** One value, as the superuser sees it. */
  async ask<T>(sql: string): Promise<T[]> {
    const { rows } = await this.superuser.query<T[]>({ text: sql, rowMode: 'array' });
    return rows.map(([value]) => value!);
  }
}

/** What differs, by name. */
export function changes(before: Digest, after: Digest): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => before[name] !== after[name]);
}

interface Relation {
  readonly name: string;
  readonly sequence: boolean;
  readonly logged: boolean;
}

interface Value {
  readonly name: string;
  readonly value: string;
}

function partOf({ name, sequence }: Relation): string {
  return part(
    name,
    sequence
      ? `SELECT last_value || ' ' || log_cnt || ' ' || is_called FROM ${name}`
      : `SELECT t::text || ctid || ' ' || xmin || ' ' || xmax FROM ONLY ${name} t${name === 'pg_namespace' ? kept : ''}`,
  );
}

function part(name: string, rows: string): string {
  return `SELECT '${name.replaceAll("'", "''")}' AS name,
    (SELECT count(*) || ' ' || coalesce(sum(hashtextextended(x, 0)), 0) FROM (${rows}) part(x)) AS value`;
}
