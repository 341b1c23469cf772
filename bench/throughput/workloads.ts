/** What is asked of every system. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { copyFile, copiedRows } from './rows.ts';
import type { CopyLoad } from './copy.ts';
import type { PgbenchLoad } from './pgbench.ts';
import type { Mode, SystemName } from './systems.ts';

export interface Workload {
  readonly name: string;
  readonly mode: Mode;
  readonly clients: number;
  readonly access: 'read' | 'write';
  readonly load: PgbenchWork | ({ readonly kind: 'copy' } & CopyLoad);
  /** What one transaction has in rows. */
  readonly bytes?: number;
  /** The superuser's, after each run. */
  readonly cleanUp?: string;
}

interface PgbenchWork extends Pick<PgbenchLoad, 'args' | 'logged' | 'threads'> {
  readonly kind: 'pgbench';
  /** So many transactions before the first round, of all clients together; about a second. */
  readonly warmUp: number;
}

export function labelOf({
  name,
  mode,
  clients,
}: Pick<Workload, 'name' | 'mode' | 'clients'>): string {
  return `${name}/${mode}/${clients}`;
}

export const quickSystems: readonly SystemName[] = ['direct', 'pgbouncer', 'relay', 'ours'];

const modes: readonly Mode[] = ['simple', 'extended', 'prepared'];

export function quickWorkloads(): Workload[] {
  return modes.map((mode) => selectOnly(mode, 16));
}

/** @param directory where scripts and files of theirs may be written. */
export function allWorkloads(directory: string): Workload[] {
  const script = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };
  return [
    ...modes.flatMap((mode) => [1, 16, 64, 500].map((clients) => selectOnly(mode, clients))),
    ...(['simple', 'prepared'] as const).flatMap((mode) =>
      [16, 64].map((clients) => transactions(mode, clients)),
    ),
    connects,
    newTexts(script),
    result(1_000, script),
    result(100_000, script),
    copyOut,
    copyIn(script('copied.txt', copyFile())),
  ];
}

function selectOnly(mode: Mode, clients: number): Workload {
  return {
    name: 'select',
    mode,
    clients,
    access: 'read',
    load: { kind: 'pgbench', args: ['--select-only'], logged: 0.1, warmUp: 8_000 },
  };
}

/**
 * TPC-B-like: seven messages a transaction, five of them statements on tables. A thread of pgbench does nothing else while one of its
 * clients prepares a statement or connects, though others have transactions open on all connections that there are: so each has one.
 */
function transactions(mode: Mode, clients: number): Workload {
  return {
    name: 'tpcb',
    mode,
    clients,
    access: 'write',
    load: { kind: 'pgbench', args: [], logged: 0.5, threads: clients, warmUp: 1_600 },
  };
}

/**
 * A connection for each transaction. A thread of pgbench does nothing else while it connects, so each client has one; its
 * latencies leave the time to connect out.
 */
const connects: Workload = {
  name: 'connect',
  mode: 'simple',
  clients: 16,
  access: 'read',
  load: {
    kind: 'pgbench',
    args: ['--select-only', '--connect'],
    logged: 1,
    threads: 16,
    warmUp: 160,
  },
};

type Script = (name: string, text: string) => string;

/** Not only the literals differ from text to text, but names, so that no two texts are alike in structure. */
function newTexts(script: Script): Workload {
  const values = `\\set aid random(1, 100000 * :scale)
\\set a random(1, 1000000000)
\\set b random(1, 1000000000)
`;
  const texts = [
    'SELECT t:a.abalance AS c:b FROM pgbench_accounts AS t:a WHERE t:a.aid = :aid;',
    'WITH w:a AS (SELECT aid, bid, abalance AS c:b FROM pgbench_accounts WHERE aid = :aid) SELECT c:b, count(*) FROM w:a JOIN pgbench_branches AS j:b USING (bid) GROUP BY 1;',
    "SELECT CASE WHEN c:b > 0 THEN 'more' ELSE 'less' END AS d:b, coalesce(c:b, 0) AS e:a FROM (SELECT abalance AS c:b FROM pgbench_accounts WHERE aid BETWEEN :aid AND :aid + 3 ORDER BY aid LIMIT 2) AS s:a;",
  ];
  const files = texts.map((text, at) => script(`new-${at}.sql`, `${values}${text}\n`));
  return {
    name: 'new-texts',
    mode: 'simple',
    clients: 16,
    access: 'read',
    load: {
      kind: 'pgbench',
      args: files.flatMap((file) => ['--file', file]),
      logged: 0.1,
      warmUp: 4_000,
    },
  };
}

function result(rows: number, script: Script): Workload {
  const file = script(`rows-${rows}.sql`, `SELECT * FROM bench_rows LIMIT ${rows};\n`);
  return {
    name: `rows-${rows}`,
    mode: 'simple',
    clients: 4,
    access: 'read',
    load: {
      kind: 'pgbench',
      args: ['--file', file],
      logged: 1,
      warmUp: Math.max(8, 400_000 / rows),
    },
    bytes: rows * copiedRows.rowBytes,
  };
}

const copyOut: Workload = {
  name: 'copy-out',
  mode: 'simple',
  clients: 1,
  access: 'read',
  load: { kind: 'copy', command: '\\copy bench_rows TO /dev/null', times: 15 },
  bytes: copiedRows.count * copiedRows.lineBytes,
};

function copyIn(file: string): Workload {
  return {
    name: 'copy-in',
    mode: 'simple',
    clients: 1,
    access: 'write',
    load: { kind: 'copy', command: `\\copy bench_copied FROM '${file}'`, times: 10 },
    bytes: copiedRows.count * copiedRows.lineBytes,
    cleanUp: 'TRUNCATE bench_copied',
  };
}
