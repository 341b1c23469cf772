/** Node pg: settings, prepared statements, transactions, temporary tables, cursors, all under names that others use as well. */
import { any, keepAt, refused, same, withPg, writing, type Ask, type Client } from '../load.ts';

/** A client that stays for some hundred statements. */
export function mixed(client: Client): Promise<void> {
  return keepAt(client, 'pg mixed', async () => {
    await withPg(client, async (ask) => {
      await begin(client, ask);
      // The driver does not know that DISCARD ALL ends what it prepared.
      let names = 0;
      for (let round = 0; round < 30 && !client.load.ending.aborted; round += 1) {
        await reads(client, ask, round, names);
        if (round % 4 === 3) {
          await state(client, ask);
          names += 1;
        } else await writes(client, ask);
        await pause();
      }
    });
  });
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, any(60)));

const zone = (id: number): string => `Etc/GMT+${id % 12}`;

async function begin({ id }: Client, ask: Ask): Promise<void> {
  await ask(`SET my.client = 'client ${id}'`);
  await ask(`SET TimeZone = '${zone(id)}'`);
}

async function reads({ id }: Client, ask: Ask, round: number, names: number): Promise<void> {
  same('own setting', await ask("SELECT current_setting('my.client')"), `client ${id}`);
  same('SHOW', await ask('SHOW TimeZone'), zone(id));
  same('parameter', await ask('SELECT $1::int * 2', [round]), round * 2);
  const named = { name: `own ${names}`, text: `SELECT ${id} + $1::int` };
  same('prepared', await ask(named, [round]), id + round);
  same('own row', await ask('SELECT owner FROM own_rows WHERE id = $1', [id]), `owner ${id}`);
  await refused('division', ask('SELECT 1 / ($1::int - $1::int)', [round]), '22012');
}

async function writes(client: Client, ask: Ask): Promise<void> {
  const { id } = client;
  const insert = 'INSERT INTO ledger VALUES ($1, $2)';
  switch (any(5)) {
    case 0:
      return writing(client, async (write) => {
        await ask(insert, [id, write]);
        return 'committed';
      });
    case 1:
      return writing(client, async (write) => {
        await ask('BEGIN');
        await ask(insert, [id, write]);
        await ask('ROLLBACK');
        return 'rolledBack';
      });
    case 2:
      return writing(client, async (write) => {
        await ask('BEGIN');
        await ask(insert, [id, write]);
        await refused('in a transaction', ask('SELECT 1/0'), '22012');
        await refused('after an error', ask('SELECT 1'), '25P02');
        await ask('COMMIT');
        return 'rolledBack';
      });
    case 3:
      return writing(client, async (write) => {
        await ask(
          `BEGIN; SET LOCAL my.client = 'local'; INSERT INTO ledger VALUES (${id}, ${write})`,
        );
        same('SET LOCAL', await ask("SELECT current_setting('my.client')"), 'local');
        await ask('COMMIT');
        same('after it', await ask("SELECT current_setting('my.client')"), `client ${id}`);
        return 'committed';
      });
    default:
      return transfer(client, ask);
  }
}

/** The sum of all accounts stays what it is. Rows are locked in their order. */
async function transfer(client: Client, ask: Ask): Promise<void> {
  const [from, to] = [any(99), 99] as const;
  await writing(client, async (write) => {
    await ask('BEGIN');
    await ask('UPDATE accounts SET amount = amount - 1 WHERE id = $1', [from]);
    await ask('SAVEPOINT here');
    await refused('savepoint', ask('SELECT nobody'), '42703');
    await ask('ROLLBACK TO here');
    await ask('UPDATE accounts SET amount = amount + 1 WHERE id = $1', [to]);
    await ask('INSERT INTO ledger VALUES ($1, $2)', [client.id, write]);
    await ask('COMMIT');
    return 'committed';
  });
}

/** What keeps an engine connection, given up with DISCARD ALL. */
async function state(client: Client, ask: Ask): Promise<void> {
  const { id } = client;
  switch (any(4)) {
    case 0:
      await ask('CREATE TEMP TABLE mine (n int)');
      await ask('INSERT INTO mine VALUES ($1)', [id]);
      same('temporary table', await ask('SELECT json_agg(n)::text FROM mine'), `[${id}]`);
      break;
    case 1:
      await ask(`PREPARE by_sql AS SELECT ${id}`);
      same('EXECUTE', await ask('EXECUTE by_sql'), id);
      break;
    case 2:
      await ask('SELECT pg_advisory_lock($1)', [id]);
      same('unlock', await ask('SELECT pg_advisory_unlock($1)', [id]), true);
      break;
    default:
      await ask(`DECLARE held CURSOR WITH HOLD FOR SELECT ${id} FROM generate_series(1, 3)`);
      same('cursor', await ask('FETCH 2 FROM held'), id);
  }
  await ask('DISCARD ALL');
  same('after DISCARD ALL', await ask(left), clean);
  await begin(client, ask);
}

/** What others may have left in the session. */
const left = `SELECT json_build_array(nullif(current_setting('my.client', true), ''), to_regclass('pg_temp.mine'),
  (SELECT count(*) FROM pg_prepared_statements WHERE name = 'by_sql' OR name LIKE 'own%'),
  (SELECT count(*) FROM pg_cursors WHERE name = 'held'), (SELECT count(*) FROM pg_listening_channels()),
  (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()))::text`;
const clean = '[null, null, 0, 0, 0, 0]';

/** Of a readonly key: cursors in transactions, and writes that are refused. */
export function reader(client: Client): Promise<void> {
  const { id } = client;
  return keepAt(client, 'pg reader', async () => {
    await withPg(client, async (ask) => {
      await ask(`SET my.client = 'reader ${id}'`);
      for (let round = 0; round < 50 && !client.load.ending.aborted; round += 1) {
        same('own row', await ask('SELECT owner FROM own_rows WHERE id = $1', [id]), `owner ${id}`);
        await refused('a write', ask('INSERT INTO ledger VALUES (0, 0)'), '42501');
        await ask('BEGIN');
        await ask(`DECLARE held CURSOR FOR SELECT ${id} + i FROM generate_series(1, 100) AS i`);
        await ask('MOVE 10 FROM held');
        same('FETCH', await ask('FETCH 5 FROM held'), id + 11);
        await ask('COMMIT');
        same('setting', await ask("SELECT current_setting('my.client')"), `reader ${id}`);
        await pause();
      }
    });
  });
}

/** A connection for each statement. */
export function passing(client: Client): Promise<void> {
  const { id } = client;
  return keepAt(
    client,
    'pg connect per statement',
    () =>
      withPg(client, async (ask) => {
        if (any(3) > 0) {
          const owner = await ask('SELECT owner FROM own_rows WHERE id = $1', [id]);
          same('own row', owner, `owner ${id}`);
        } else if (any(2) > 0) same('nothing of others', await ask(left), clean);
        else
          await writing(client, async (write) => {
            await ask('INSERT INTO ledger VALUES ($1, $2)', [id, write]);
            return 'committed';
          });
      }),
    100,
  );
}

/** Tables that come, change and go. */
export function definer(client: Client): Promise<void> {
  const { id } = client;
  const table = `defined_${id}`;
  return keepAt(
    client,
    'pg DDL',
    () =>
      withPg(client, async (ask) => {
        await ask(`DROP TABLE IF EXISTS ${table}`);
        await ask(`CREATE TABLE ${table} (n int)`);
        await ask(`INSERT INTO ${table} VALUES (${id})`);
        same('new table', await ask(`SELECT n FROM ${table}`), id);
        await ask(`ALTER TABLE ${table} ADD COLUMN more text DEFAULT 'more ${id}'`);
        same('new column', await ask(`SELECT more FROM ${table}`), `more ${id}`);
        await ask(`DROP TABLE ${table}`);
      }),
    4_000,
  );
}
