/** Features that need nothing but statements with parameters; the same for every Node driver. */
import { expectThat, fails, others, table } from './steps.ts';
import type { Bench } from './matrix.ts';

type Run = (bench: Bench) => Promise<unknown>;

export const commonFeatures: Readonly<Record<string, Run>> = {
  'wrong-password': async (bench) => {
    const wrong = { ...bench, address: { ...bench.address, password: 'not-the-password' } };
    // Whether the driver says so when it connects or with the first statement is its own business.
    return (await fails(bench, async () => (await wrong.client()).query('SELECT 1'))).sqlstate;
  },

  'abrupt-close': async (bench) => {
    const name = await table(bench, 'abrupt_close', 'id integer PRIMARY KEY');
    const neighbour = await bench.client();
    const leaving = await bench.client();
    await leaving.query('BEGIN');
    await leaving.query(`INSERT INTO ${name} VALUES (1)`);
    await leaving.query('SELECT pg_advisory_xact_lock(4711)');
    leaving.destroy();
    // Both wait until the server has noticed.
    await neighbour.query('SELECT pg_advisory_lock(4711)');
    await neighbour.query('SELECT pg_advisory_unlock(4711)');
    await neighbour.query(`INSERT INTO ${name} VALUES (1)`);
    return neighbour.query(`SELECT * FROM ${name}`);
  },

  'concurrent-clients': async (bench) => {
    const name = await table(bench, 'concurrent_clients', 'client integer, note text');
    await Promise.all(Array.from({ length: 24 }, (_, index) => runAlone(bench, name, index)));
    const client = await bench.client();
    return client.query(
      `SELECT count(*)::int, count(DISTINCT client)::int, count(DISTINCT note)::int FROM ${name}`,
    );
  },

  'deallocate-all': async (bench) => {
    const client = await bench.client();
    await client.query('PREPARE mine AS SELECT 1');
    await client.query('SELECT $1::int', [1]);
    await client.query('DEALLOCATE ALL');
    await others(bench);
    const gone = await fails(bench, () => client.query('EXECUTE mine'));
    await client.query('PREPARE mine AS SELECT 2');
    return [
      gone.sqlstate,
      await client.query('EXECUTE mine'),
      await client.query('SELECT $1::int', [3]),
    ];
  },

  'discard-all': async (bench) => {
    const client = await bench.client();
    const before = await client.query('SHOW work_mem');
    await client.query("SET work_mem = '7MB'");
    await client.query('CREATE TEMPORARY TABLE discarded (id int)');
    await client.query('PREPARE discarded AS SELECT 1');
    await client.query('SELECT pg_advisory_lock(4712)');
    await client.query('DISCARD ALL');
    const neighbour = await bench.client();
    const isFree = await neighbour.query('SELECT pg_try_advisory_lock(4712)');
    const after = await client.query('SHOW work_mem');
    expectThat(JSON.stringify(after) === JSON.stringify(before), 'work_mem is back');
    const noTable = await fails(bench, () => client.query('SELECT * FROM discarded'));
    const noStatement = await fails(bench, () => client.query('EXECUTE discarded'));
    return [isFree, noTable.sqlstate, noStatement.sqlstate];
  },

  'sql-prepare': async (bench) => {
    const client = await bench.client();
    const neighbour = await bench.client();
    await client.query('PREPARE twice (int) AS SELECT $1 * 2');
    await neighbour.query('PREPARE twice (int) AS SELECT $1 * 20');
    await others(bench);
    await client.query('BEGIN');
    const rows = [
      await client.query('EXECUTE twice(21)'),
      await neighbour.query('EXECUTE twice(21)'),
    ];
    await client.query('COMMIT');
    await others(bench);
    rows.push(await client.query('EXECUTE twice(4)'));
    await client.query('DEALLOCATE twice');
    const gone = await fails(bench, () => client.query('EXECUTE twice(4)'));
    return [rows, gone.sqlstate, await neighbour.query('EXECUTE twice(1)')];
  },

  'statement-timeout': async (bench) => {
    const client = await bench.client();
    await client.query("SET statement_timeout = '100ms'");
    const ended = await fails(bench, () => client.query('SELECT pg_sleep(60)'));
    await client.query('RESET statement_timeout');
    return [ended.sqlstate, ended.message, await client.query('SELECT 1')];
  },

  'error-fields': async (bench) => {
    const name = await table(bench, 'error_fields', 'id int CONSTRAINT node_one_of_each UNIQUE');
    const client = await bench.client();
    await client.query(`INSERT INTO ${name} VALUES (1)`);
    return [
      await fails(bench, () => client.query(`INSERT INTO ${name} VALUES ($1)`, [1])),
      await fails(bench, () => client.query('SELECT nothing FROM nowhere')),
      await fails(bench, () => client.query('SELEKT 1')),
      await fails(bench, () => client.query('SELECT 1/$1::int', [0])),
    ];
  },

  commit: async (bench) => {
    const name = await table(bench, 'commits', 'id int');
    const client = await bench.client();
    const neighbour = await bench.client();
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${name} VALUES (1)`);
    const before = await neighbour.query(`SELECT * FROM ${name}`);
    await client.query('COMMIT');
    return [before, await neighbour.query(`SELECT * FROM ${name}`)];
  },

  rollback: async (bench) => {
    const name = await table(bench, 'rollbacks', 'id int');
    const client = await bench.client();
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${name} VALUES (1)`);
    const inside = await client.query(`SELECT * FROM ${name}`);
    await client.query('ROLLBACK');
    return [inside, await client.query(`SELECT * FROM ${name}`)];
  },

  savepoint: async (bench) => {
    const name = await table(bench, 'savepoints', 'id int PRIMARY KEY');
    const client = await bench.client();
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${name} VALUES (1)`);
    await client.query('SAVEPOINT a');
    const twice = await fails(bench, () => client.query(`INSERT INTO ${name} VALUES (1)`));
    await client.query('ROLLBACK TO SAVEPOINT a');
    await client.query(`INSERT INTO ${name} VALUES (2)`);
    await client.query('RELEASE SAVEPOINT a');
    await client.query('COMMIT');
    return [twice.sqlstate, await client.query(`SELECT * FROM ${name} ORDER BY id`)];
  },

  'error-in-transaction': async (bench) => {
    const client = await bench.client();
    await client.query('BEGIN');
    const first = await fails(bench, () => client.query('SELECT 1/0'));
    const second = await fails(bench, () => client.query('SELECT 1'));
    const third = await fails(bench, () => client.query('SELECT $1::int', [1]));
    await client.query('ROLLBACK');
    return [first.sqlstate, second.message, third.sqlstate, await client.query('SELECT 1')];
  },

  'two-phase': async (bench) => {
    const name = await table(bench, 'two_phase', 'id int');
    const client = await bench.client();
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${name} VALUES (1)`);
    await client.query("PREPARE TRANSACTION 'matrix-node'");
    const before = await client.query(`SELECT * FROM ${name}`);
    const neighbour = await bench.client();
    await neighbour.query("COMMIT PREPARED 'matrix-node'");
    return [before, await client.query(`SELECT * FROM ${name}`)];
  },

  'large-object': async (bench) => {
    const client = await bench.client();
    await client.query('BEGIN');
    const made = await client.query("SELECT lo_from_bytea(0, decode(repeat('ab', 20000), 'hex'))");
    const id = Number(made[0]![0]);
    const opened = await client.query('SELECT lo_open($1::oid, 131072)', [id]);
    const parts = await client.query(
      'SELECT length(loread($1::int, 15000)), length(loread($1::int, 15000))',
      [opened[0]![0]],
    );
    await client.query('COMMIT');
    await others(bench);
    const unlinked = await client.query('SELECT lo_unlink($1::oid)', [id]);
    return [parts, unlinked];
  },
};

/** A client's own transactions, setting and statement; it fails when it sees anything of another's. */
async function runAlone(bench: Bench, name: string, index: number): Promise<void> {
  const client = await bench.client();
  await client.query(`SET matrix.client = ${index}`);
  for (let round = 0; round < 5; round += 1) {
    await client.query('BEGIN');
    await client.query(`INSERT INTO ${name} VALUES ($1, $2)`, [index, `${index}/${round}`]);
    await client.query(round === 4 ? 'ROLLBACK' : 'COMMIT');
    const [shown] = await client.query("SELECT current_setting('matrix.client')");
    expectThat(shown![0] === String(index), 'the setting is its own');
    const [own] = await client.query(`SELECT ${index} + $1::int`, [round]);
    expectThat(Number(own![0]) === index + round, 'the statement is its own');
  }
  await client.end();
}
