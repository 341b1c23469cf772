/** What a session keeps from one transaction to the next, while others work. */
import { expectThat, fails, others, table } from './steps.ts';
import type { Bench } from './matrix.ts';

type Run = (bench: Bench) => Promise<unknown>;

export const sessionFeatures: Readonly<Record<string, Run>> = {
  'set-survives': async (bench) => {
    const client = await bench.client();
    const shown = () =>
      client.query(
        `SELECT current_setting('work_mem'), current_setting('TimeZone'), current_setting('search_path'),
                current_setting('matrix.own', true), current_setting('DateStyle'), now()::text ~ '[+]05:30$'`,
      );
    await client.query("SET work_mem = '5MB'");
    await client.query("SET TIME ZONE 'Asia/Kolkata'");
    await client.query('SET search_path = pg_catalog, main');
    await client.query("SET matrix.own = 'mine'");
    await client.query("SELECT set_config('DateStyle', 'German, DMY', false)");
    await others(bench);
    const kept = await shown();
    await client.query('BEGIN');
    const inside = await shown();
    await client.query('COMMIT');
    await others(bench);
    await client.query('RESET work_mem');
    await client.query('RESET TIME ZONE');
    await others(bench);
    return [kept, inside, await shown()];
  },

  'set-local': async (bench) => {
    const client = await bench.client();
    const shown = () =>
      client.query("SELECT current_setting('work_mem'), current_setting('DateStyle')");
    await client.query("SET work_mem = '5MB'");
    await client.query('BEGIN');
    await client.query("SET LOCAL work_mem = '6MB'");
    const inside = await shown();
    await client.query('COMMIT');
    await client.query('BEGIN');
    await client.query("SET DateStyle = 'SQL, DMY'");
    await client.query('ROLLBACK');
    await others(bench);
    return [inside, await shown()];
  },

  'temporary-table': async (bench) => {
    const client = await bench.client();
    const neighbour = await bench.client();
    await client.query('CREATE TEMPORARY TABLE own_rows (id int)');
    await others(bench);
    await client.query('INSERT INTO own_rows VALUES ($1)', [1]);
    await others(bench);
    const hidden = await fails(bench, () => neighbour.query('SELECT * FROM own_rows'));
    await client.query('BEGIN');
    await client.query('CREATE TEMPORARY TABLE own_short (id int) ON COMMIT DROP');
    await client.query('INSERT INTO own_short SELECT * FROM own_rows');
    const inside = await client.query('SELECT * FROM own_short');
    await client.query('COMMIT');
    const dropped = await fails(bench, () => client.query('SELECT * FROM own_short'));
    return [
      hidden.sqlstate,
      inside,
      dropped.sqlstate,
      await client.query('SELECT * FROM own_rows'),
    ];
  },

  'advisory-lock': async (bench) => {
    const client = await bench.client();
    const neighbour = await bench.client();
    const tried = () => neighbour.query('SELECT pg_try_advisory_lock(4713)');
    await client.query('SELECT pg_advisory_lock(4713)');
    await others(bench);
    const held = await tried();
    await client.query('BEGIN');
    await client.query('COMMIT');
    await others(bench);
    const stillHeld = await tried();
    const unlocked = await client.query(
      'SELECT pg_advisory_unlock(4713), pg_advisory_unlock(4713)',
    );
    return [held, stillHeld, unlocked, await tried()];
  },

  'cursor-hold': async (bench) => {
    const client = await bench.client();
    const neighbour = await bench.client();
    await client.query('BEGIN');
    await client.query('DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 10)');
    const first = await client.query('FETCH 2 FROM held');
    await client.query('COMMIT');
    await others(bench);
    const second = await client.query('FETCH 3 FROM held');
    const hidden = await fails(bench, () => neighbour.query('FETCH 1 FROM held'));
    await others(bench);
    const last = await client.query('FETCH ALL FROM held');
    await client.query('CLOSE held');
    const closed = await fails(bench, () => client.query('FETCH 1 FROM held'));
    return [first, second, hidden.sqlstate, last, closed.sqlstate];
  },

  'sequence-value': async (bench) => {
    const name = await table(bench, 'sequence_value', 'id serial, note text');
    const client = await bench.client();
    const neighbour = await bench.client();
    await client.query(`INSERT INTO ${name} (note) VALUES ('mine')`);
    await others(bench);
    await neighbour.query(`INSERT INTO ${name} (note) VALUES ('another''s')`);
    const values = await client.query(`SELECT currval('${name}_id_seq')::int, lastval()::int`);
    const third = await bench.client();
    const unknown = await fails(bench, () => third.query(`SELECT currval('${name}_id_seq')`));
    expectThat(unknown.sqlstate === '55000', 'nobody else has a current value');
    return values;
  },
};
