/** Statements by postgres.js. */
import type postgres from 'postgres';
import { Unsupported, type FeatureRun } from './matrix.ts';
import type { PostgresBench } from './postgres.ts';
import { expectThat, others, table } from './steps.ts';

const sqlstateOf = (error: unknown): string => (error as postgres.PostgresError).code;

export const postgresStatementFeatures: Readonly<Record<string, FeatureRun<PostgresBench>>> = {
  'simple-query': async ({ open }) => {
    const sql = open();
    const texts =
      "SELECT 1 AS a; SELECT 'x' AS b, NULL AS c; CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2)";
    const results = (await sql.unsafe(texts).simple()) as unknown as postgres.RowList<
      postgres.Row[]
    >[];
    return results.map((rows) => [
      rows.command,
      rows.count,
      [...rows],
      rows.columns?.map(({ name, type }) => [name, type]),
    ]);
  },

  'empty-query': async ({ open }) => {
    const sql = open();
    const [simple, extended] = [
      await sql.unsafe(' ').simple(),
      await sql.unsafe('', [], { prepare: true }),
    ];
    return [simple.length, extended.length, await sql`SELECT 1 AS n`];
  },

  'parameters-text': async ({ open }) => {
    const sql = open();
    const rows =
      await sql`SELECT ${"it's"}::text AS a, ${7}::int AS b, ${'2026-01-31'}::date::text AS c, ${true}::bool AS d`;
    return [rows, rows.columns.map(({ name, type }) => [name, type])];
  },

  'parameters-binary': () => {
    throw new Unsupported('text format only');
  },

  'unnamed-statement': async (bench) => {
    const sql = bench.open({ prepare: false });
    const seen: unknown[] = [];
    for (let round = 0; round < 5; round += 1) {
      seen.push(await sql`SELECT ${round}::int * 2 AS twice`);
      await sql.unsafe('SELECT 1');
      seen.push(await sql`SELECT upper(${`n${round}`}) AS upper`);
      if (round % 2 === 0) await others(bench);
    }
    return seen;
  },

  'named-statement': async (bench) => {
    const sql = bench.open();
    const seen: unknown[] = [];
    for (let round = 0; round < 5; round += 1) {
      const next = (own: postgres.ISql, from: number) => own`SELECT ${from}::int + 1 AS next`;
      seen.push(await sql.begin((own) => next(own, round)));
      await others(bench);
      seen.push(await next(sql, -round));
    }
    return seen;
  },

  // Its names hold a random part, so two clients never have the same.
  'same-name': () => {
    throw new Unsupported('names are its own');
  },

  'close-statement': () => {
    throw new Unsupported('no call closes a statement');
  },

  'changed-table': async (bench) => {
    const name = await table(bench, 'changed_table', 'id int');
    const [sql, neighbour] = [bench.open(), bench.open()];
    const read = () => sql`SELECT * FROM ${sql(name)}`;
    await sql`INSERT INTO ${sql(name)} VALUES (1)`;
    const before = await read();
    await neighbour.unsafe(`ALTER TABLE ${name} ADD COLUMN note text DEFAULT 'new'`);
    // It prepares again by itself.
    return [before, await read().catch(sqlstateOf), await read()];
  },

  batch: async ({ open }) => {
    const sql = open();
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        index % 3 === 0
          ? sql`SELECT ${index}::int AS n`
          : sql`SELECT ${index}::int AS n, ${String(index)} AS text`,
      ),
    );
    expectThat(
      answers.every(([row], index) => (row as { n: number }).n === index),
      'each answer belongs to its question',
    );
    return answers.length;
  },

  'batch-error': async ({ open }) => {
    const sql = open();
    const answers = await Promise.allSettled([
      sql`SELECT ${0}::int AS n`,
      sql`SELECT 1/${0}::int AS n`,
      sql`SELECT ${0}::int + 1 AS n`,
    ]);
    return [
      answers.map((one) => (one.status === 'fulfilled' ? one.value : sqlstateOf(one.reason))),
      await sql`SELECT 1 AS n`,
    ];
  },

  'rows-in-parts': async ({ open }) => {
    const sql = open();
    const parts: number[] = [];
    await sql.begin(async (own) => {
      for await (const rows of own`SELECT generate_series(1, ${1000}::int) AS n`.cursor(300))
        parts.push(rows.length);
    });
    // One that is left early is closed.
    const early = await sql`SELECT generate_series(1, ${1000}::int) AS n`.cursor(
      10,
      () => sql.CLOSE,
    );
    return [parts, early.count, await sql`SELECT 1 AS n`];
  },

  cancel: async ({ open }) => {
    const [sql, neighbour] = [open(), open()];
    const bystander = neighbour`SELECT pg_sleep(0.5)`.execute();
    await sql`SELECT 1`;
    const query = sql`SELECT pg_sleep(62)`;
    const ended = query.execute().catch(sqlstateOf);
    // A query is cancelled once; the server must have begun with it by then.
    const sleeping =
      "SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query ~ 'pg_sleep.62'";
    const observer = open();
    for (let found = 0; found === 0;) found = (await observer.unsafe(sleeping)).length - 1;
    query.cancel();
    return [await ended, (await bystander).count, await sql`SELECT 1 AS n`];
  },

  notices: async ({ open }) => {
    const seen: unknown[] = [];
    const sql = open({
      onnotice: ({ message, severity, code, detail, hint }) =>
        seen.push([severity, code, message, detail, hint]),
    });
    await sql.unsafe(`DO $$ BEGIN
      RAISE NOTICE 'one %', 1 USING DETAIL = 'a detail', HINT = 'a hint';
      RAISE WARNING 'two' USING ERRCODE = '01234';
    END $$`);
    await sql`DROP TABLE IF EXISTS there_is_none`;
    return seen;
  },
};
