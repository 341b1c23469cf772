/** Statements by node-postgres. */
import pg from 'pg';
import { Unsupported, type FeatureRun } from './matrix.ts';
import { faultOf, type PgBench } from './pg.ts';
import { expectThat, others, table } from './steps.ts';

const sqlstateOf = (error: unknown): string | undefined => faultOf(error).sqlstate;

export const pgStatementFeatures: Readonly<Record<string, FeatureRun<PgBench>>> = {
  'simple-query': async ({ open }) => {
    const client = await open();
    const texts =
      "SELECT 1 AS a; SELECT 'x' AS b, NULL AS c; CREATE TEMPORARY TABLE t (i int); INSERT INTO t VALUES (1), (2)";
    const results = (await client.query(texts)) as unknown as pg.QueryResult[];
    return results.map(({ command, rowCount, rows, fields }) => [
      command,
      rowCount,
      rows,
      fields.map(({ name, dataTypeID, dataTypeSize, format }) => [
        name,
        dataTypeID,
        dataTypeSize,
        format,
      ]),
    ]);
  },

  'empty-query': async ({ open }) => {
    const client = await open();
    const [simple, extended] = [await client.query('  '), await client.query('', [])];
    return [simple.command, simple.rows, extended.command, (await client.query('SELECT 1')).rows];
  },

  'parameters-text': async ({ open }) => {
    const client = await open();
    const text = 'SELECT $1::text AS a, $2::int AS b, $3::date::text AS c, $4::bool AS d';
    const { rows, fields } = await client.query(text, ["it's", 7, '2026-01-31', true]);
    return [rows, fields.map(({ name, dataTypeID }) => [name, dataTypeID])];
  },

  'parameters-binary': async ({ open }) => {
    const client = await open({ binary: true });
    const text = 'SELECT $1::bytea AS a, $2::int4 AS b, 2.5::float8 AS c, now() IS NOT NULL AS d';
    const { rows, fields } = await client.query(text, [Buffer.from([0, 1, 255]), 7]);
    return [rows, fields.map(({ format }) => format)];
  },

  'unnamed-statement': async (bench) => {
    const client = await bench.open();
    const seen: unknown[] = [];
    for (let round = 0; round < 5; round += 1) {
      seen.push((await client.query('SELECT $1::int * 2 AS twice', [round])).rows);
      await client.query('SELECT 1');
      seen.push((await client.query('SELECT upper($1) AS upper', [`n${round}`])).rows);
      if (round % 2 === 0) await others(bench);
    }
    return seen;
  },

  'named-statement': async (bench) => {
    const client = await bench.open();
    const named = { name: 'named', text: 'SELECT $1::int + 1 AS next' };
    const seen: unknown[] = [];
    for (let round = 0; round < 5; round += 1) {
      await client.query('BEGIN');
      seen.push((await client.query({ ...named, values: [round] })).rows);
      await client.query('COMMIT');
      await others(bench);
      seen.push((await client.query({ ...named, values: [-round] })).rows);
    }
    return seen;
  },

  'same-name': async (bench) => {
    const [one, two] = [await bench.open(), await bench.open()];
    const seen: unknown[] = [];
    for (let round = 0; round < 4; round += 1) {
      seen.push(
        (await one.query({ name: 'same', text: 'SELECT $1::int AS one', values: [round] })).rows,
      );
      seen.push(
        (await two.query({ name: 'same', text: "SELECT 'two ' || $1 AS two", values: ['x'] })).rows,
      );
    }
    return seen;
  },

  'close-statement': () => {
    throw new Unsupported('no call closes a statement');
  },

  'changed-table': async (bench) => {
    const name = await table(bench, 'changed_table', 'id int');
    const [client, neighbour] = [await bench.open(), await bench.open()];
    await client.query(`INSERT INTO ${name} VALUES (1)`);
    const read = { name: 'read', text: `SELECT * FROM ${name}` };
    const before = await client.query(read);
    await neighbour.query(`ALTER TABLE ${name} ADD COLUMN note text DEFAULT 'new'`);
    const changed = await client.query(read).catch(sqlstateOf);
    const again = await client.query({ ...read, name: 'read again' });
    return [before.rows, changed, again.rows];
  },

  batch: async ({ open }) => {
    const client = await open({ pipeline: true });
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        client.query(
          index % 3 === 0 ? { name: 'batch', text: 'SELECT $1::int AS n' } : 'SELECT $1::int AS n',
          [index],
        ),
      ),
    );
    expectThat(
      answers.every(({ rows }, index) => (rows[0] as { n: number }).n === index),
      'each answer belongs to its question',
    );
    return answers.length;
  },

  'batch-error': async ({ open }) => {
    const client = await open({ pipeline: true });
    const asked = ['SELECT $1::int AS n', 'SELECT 1/$1::int AS n', 'SELECT $1::int + 1 AS n'];
    const answers = await Promise.allSettled(asked.map((text) => client.query(text, [0])));
    const after = await client.query('SELECT 1 AS n');
    return [
      answers.map((one) => (one.status === 'fulfilled' ? one.value.rows : sqlstateOf(one.reason))),
      after.rows,
    ];
  },

  'rows-in-parts': async (bench) => {
    const client = await bench.open();
    await client.query('BEGIN');
    let parts = 0;
    const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
    connection.on('portalSuspended', () => (parts += 1));
    const text = 'SELECT generate_series(1, $1::int) AS n';
    // `rows` limits each Execute; the types do not know it.
    const { rows } = await client.query({ text, values: [1000], rows: 100 } as pg.QueryConfig);
    await client.query('COMMIT');
    return [rows.length, rows.at(-1), parts];
  },

  cancel: async ({ open }) => {
    const [client, neighbour] = [await open(), await open()];
    const bystander = neighbour.query('SELECT pg_sleep(0.5)');
    const query = new pg.Query("SELECT 'cancel me', pg_sleep(60)");
    const ended = new Promise<unknown>((resolve) =>
      query.once('error', (error) => resolve(sqlstateOf(error))),
    );
    client.query(query);
    const state = { isOver: false };
    void ended.then(() => (state.isOver = true));
    // One that comes too early does nothing.
    while (!state.isOver) {
      cancelBy(client, query);
      await new Promise((wait) => setTimeout(wait, 50));
    }
    return [await ended, (await bystander).rowCount, (await client.query('SELECT 1 AS n')).rows];
  },

  notices: async ({ open }) => {
    const client = await open();
    const seen: unknown[] = [];
    client.on('notice', (notice) => {
      const { message, severity, code, detail, hint } = notice;
      seen.push([severity, code, message, detail, hint]);
    });
    await client.query(`DO $$ BEGIN
      RAISE NOTICE 'one %', 1 USING DETAIL = 'a detail', HINT = 'a hint';
      RAISE WARNING 'two' USING ERRCODE = '01234';
    END $$`);
    await client.query('DROP TABLE IF EXISTS there_is_none');
    return seen;
  },
};

/** The driver's own way: a client of its own that sends nothing but the cancel request. */
function cancelBy(client: pg.Client, query: pg.Query): void {
  const { host, port } = client;
  const canceller = new pg.Client({ host, port, ssl: false }) as pg.Client & {
    cancel(client: pg.Client, query: pg.Query): void;
  };
  canceller.on('error', () => undefined);
  canceller.cancel(client, query);
}
