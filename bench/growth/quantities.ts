/** What is doubled before our proxy with everything on. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientOf } from '../../test/cli/workers.ts';
import { queryUrl } from '../../test/fixtures/own-postgres.ts';
import type { Engine } from '../throughput/engine.ts';
import type { Ours } from '../throughput/ours.ts';
import { runPgbench, type PgbenchLoad } from '../throughput/pgbench.ts';
import { doublings, type Found, type Quantity } from './growth.ts';
import { storedKeys } from './stored-keys.ts';

export interface GrowthStage extends Ours {
  readonly engine: Engine;
  /** For scripts. */
  readonly directory: string;
  /** Of each measurement. */
  readonly seconds: number;
  readonly signal: AbortSignal;
}

const selectOnly = ['--select-only'];
const clients = 16;

/** @param key with which it is asked; the one that reads, unless given. */
export async function costOf(
  { ours, seconds, signal }: GrowthStage,
  load: Partial<PgbenchLoad>,
  key?: string,
): Promise<{ readonly cpu: number | undefined; readonly p50: number; readonly each: number }> {
  const login = ours.login('read', 'simple');
  const run = await runPgbench(
    {
      args: selectOnly,
      mode: 'simple',
      clients,
      length: { seconds },
      logged: 0.2,
      meteredSeconds: seconds - 1.1,
      ...load,
    },
    { login: { ...login, password: key ?? login.password }, pids: ours.pids, signal },
  );
  return { cpu: run.cpuUsPerTx, p50: run.p50Ms * 1_000, each: 1e6 / run.tps };
}

function found({ cpu, p50 }: { cpu: number | undefined; p50: number }): Found {
  return { 'proxy CPU': cpu, p50 };
}

export function allQuantities(stage: GrowthStage): readonly Quantity[] {
  return [
    rowsOfResults(stage),
    numberOfClients(stage),
    storedKeys(stage),
    tablesOfKey(stage),
    rowPolicies(stage),
  ];
}

function rowsOfResults(stage: GrowthStage): Quantity {
  return {
    name: 'rows',
    title: 'A result, by its rows of 121 bytes',
    unit: 'rows',
    expected: 'linear',
    levels: doublings(16_000, 6),
    measure: async (level) => {
      const file = script(stage, 'rows.sql', `SELECT * FROM bench_rows LIMIT ${level};`);
      return found(await costOf(stage, { args: ['--file', file], clients: 4, logged: 1 }));
    },
  };
}

function numberOfClients(stage: GrowthStage): Quantity {
  return {
    name: 'clients',
    title: 'A statement of pgbench -S, by the clients that ask at once',
    unit: 'clients',
    expected: 'flat',
    levels: doublings(256, 6),
    measure: async (level) => {
      const { cpu, each } = await costOf(stage, { clients: level });
      // Clients wait for each other, so a latency would say how many they are.
      return { 'proxy CPU': cpu, '1 / tps': each };
    },
  };
}

/** The most that a key's limits may name is a thousand. */
function tablesOfKey(stage: GrowthStage): Quantity {
  const keys = new Map<number, string>();
  const levels = doublings(960, 5);
  return {
    name: 'limits',
    title: 'A statement never seen before, by the tables that its key is limited to',
    unit: 'tables',
    expected: 'flat',
    levels,
    prepare: async () => {
      const admin = await clientOf(stage.hati);
      for (const level of levels) {
        const others = Array.from({ length: level - 1 }, (_, at) => `main.table_${at}`);
        const limits = JSON.stringify({ tables: [...others, 'main.pgbench_accounts'] });
        const { rows } = await admin.query<{ key: string }>(
          `SELECT create_api_key('limited-${level}', 'query:read', '', limits => '${limits}') AS key`,
        );
        keys.set(level, rows[0]!.key);
      }
      await admin.end();
    },
    measure: async (level) =>
      found(await costOf(stage, newTexts(stage, 'pgbench_accounts'), keys.get(level))),
  };
}

/** Policies of the database on the table that is read: the engine applies them, we have to know what they run. */
function rowPolicies(stage: GrowthStage): Quantity {
  const { engine } = stage;
  let known = 0;
  return {
    name: 'policies',
    title: 'A statement never seen before, by the row policies on its table',
    unit: 'row policies',
    expected: 'flat',
    levels: doublings(64, 5),
    prepare: async () => {
      await queryUrl(engine.superuserUrl, `ALTER TABLE pgbench_tellers ENABLE ROW LEVEL SECURITY`);
    },
    measure: async (level) => {
      await queryUrl(engine.superuserUrl, policies(known, level));
      known = level;
      await catalogueRead();
      return found(await costOf(stage, newTexts(stage, 'pgbench_tellers')));
    },
  };
}

function policies(before: number, now: number): string {
  const numbers = Array.from({ length: Math.abs(now - before) }, (_, at) =>
    String(Math.min(now, before) + at),
  );
  return numbers
    .map((number) =>
      now > before
        ? `CREATE POLICY p${number} ON pgbench_tellers USING (tid > ${number} - 1000)`
        : `DROP POLICY p${number} ON pgbench_tellers`,
    )
    .join(';');
}

/** What is made past our proxy is known two seconds later. */
function catalogueRead(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2_500));
}

/** No two texts have the same form, so each is parsed and judged. */
function newTexts(stage: GrowthStage, table: string): Pick<PgbenchLoad, 'args'> {
  const column = table === 'pgbench_tellers' ? 'tid' : 'aid';
  const sql = `SELECT ${column} AS n:a FROM ${table} WHERE ${column} = :id;`;
  const values = '\\set id random(1, 100)\n\\set a random(1, 1000000000)';
  return { args: ['--file', script(stage, `new-${table}.sql`, `${values}\n${sql}`)] };
}

function script({ directory }: GrowthStage, name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, `${text}\n`);
  return file;
}
