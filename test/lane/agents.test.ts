/** Agents share a lane where their statements can't tell whose they are, and nowhere else. */
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codeOf, until } from '../pool/small-pool.ts';
import { ask, startLaneStage, ways, type LaneStage, type Way } from './lane.ts';

const agents = Array.from({ length: 8 }, (_, n) => `agent ${n}`);

let stage: LaneStage;
let superuser: pg.Client;
/** One session of each agent. */
let clients: ReadonlyMap<string, pg.Client>;

beforeAll(async () => {
  stage = await startLaneStage();
  superuser = new pg.Client(stage.proxy.direct('superuser'));
  await superuser.connect();
  await stage.admin.query(`
    CREATE TABLE main.owned (agent text, note text);
    INSERT INTO main.owned SELECT 'agent ' || n, 'of agent ' || n FROM generate_series(0, 7) n;
    CREATE VIEW main.over_owned AS SELECT note FROM main.owned;
    CREATE VIEW main.invoked WITH (security_invoker) AS SELECT note FROM main.owned;
    CREATE TABLE main.by_setting (tenant text);
    INSERT INTO main.by_setting SELECT 'agent ' || n FROM generate_series(0, 7) n;
    CREATE POLICY own ON main.by_setting USING (tenant = current_setting('my.tenant', true));
    ALTER TABLE main.by_setting ENABLE ROW LEVEL SECURITY;
    CREATE VIEW main.whoami AS SELECT current_setting('hatidata.agent_id') AS agent;
    CREATE VIEW main.plain AS SELECT id, note FROM main.lane;
    CREATE POLICY own ON main.owned USING (agent = hatidata.agent_id());
    ALTER TABLE main.owned ENABLE ROW LEVEL SECURITY, OWNER TO CURRENT_USER`);
  const connected: [string, pg.Client][] = [];
  for (const agent of agents) {
    const made = await stage.admin.query("SELECT create_api_key($1, 'readonly') AS key", [agent]);
    connected.push([agent, await stage.proxy.client(String(made.rows[0].key))]);
  }
  clients = new Map(connected);
});
afterAll(async () => {
  await superuser.end();
  await stage.stop();
});

const each = (act: (agent: string, client: pg.Client) => Promise<unknown>): Promise<unknown> =>
  Promise.all([...clients].map(([agent, client]) => act(agent, client)));

/** Connections of the engine by the name that its operator sees. */
async function connections(name: string): Promise<number> {
  const { rows } = await superuser.query(
    'SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name = $1',
    [name],
  );
  return rows[0].n;
}

/** By each protocol, and as often as it takes to be in a lane. */
async function run(client: pg.Client, text: string, round: number): Promise<unknown[]> {
  const query = [{ text }, { text, values: [] as string[], name: text.slice(0, 60) }][round % 2]!;
  return (await client.query(query)).rows;
}

test.each(Object.keys(ways) as Way[])('they share one: %s', async (way) => {
  const before = await stage.count('statements');
  await each((_, client) => ask(client, way, (asked) => asked === 200));
  expect(await stage.count('statements')).toBeGreaterThan(before + 200);
  // What the engine's operator sees.
  expect(await connections('hati lane')).toBeGreaterThan(0);
});

test.each([
  ['a policy', 'SELECT note FROM main.owned', (agent: string) => [{ note: `of ${agent}` }]],
  // It is read as its owner, who owns the table, too.
  [
    'a view over it',
    'SELECT note FROM main.over_owned',
    () => agents.map((agent) => ({ note: `of ${agent}` })),
  ],
  [
    'a policy in a subquery',
    'SELECT id FROM main.lane WHERE id = 1 AND EXISTS (SELECT FROM main.owned WHERE note = $$x$$)',
    () => [],
  ],
  [
    'the setting',
    "SELECT current_setting('hatidata.agent_id') AS agent",
    (agent: string) => [{ agent }],
  ],
  ['a view of the setting', 'SELECT agent FROM main.whoami', (agent: string) => [{ agent }]],
  ['the function', 'SELECT hatidata.agent_id() AS agent', (agent: string) => [{ agent }]],
  ['TABLE', 'TABLE main.owned', (agent: string) => [{ agent, note: `of ${agent}` }]],
  [
    'a sample',
    'SELECT note FROM main.owned TABLESAMPLE bernoulli (100)',
    (agent: string) => [{ note: `of ${agent}` }],
  ],
  [
    'a view that is read as its reader',
    'SELECT note FROM main.invoked',
    (agent: string) => [{ note: `of ${agent}` }],
  ],
  [
    'what the system shows',
    "SELECT split_part(setting, ' ', 1) AS name FROM pg_settings WHERE name = 'application_name'",
    () => [{ name: 'hati:agent' }],
  ],
] as const)('%s is right for each, beside what they share', async (_, text, answer) => {
  await each(async (agent, client) => {
    for (let round = 0; round < 40; round += 1) {
      await ask(client, 'prepared', (asked) => asked === 2);
      expect(await run(client, text, round)).toEqual(answer(agent));
    }
  });
});

test('a policy by a setting of the client’s own', async () => {
  await each(async (agent, client) => {
    await client.query(`SET my.tenant = '${agent}'`);
    for (let round = 0; round < 40; round += 1) {
      await ask(client, 'extended', (asked) => asked === 2);
      expect(await run(client, 'SELECT tenant FROM main.by_setting', round)).toEqual([
        { tenant: agent },
      ]);
    }
    await client.query('RESET my.tenant');
  });
});

test('who switches row security off is refused by PostgreSQL, and reads the rest', async () => {
  await each(async (_, client) => {
    await client.query('SET row_security = off');
    for (let round = 0; round < 20; round += 1) {
      await ask(client, 'extended', (asked) => asked === 2);
      expect(await codeOf(run(client, 'SELECT note FROM main.owned', round))).toBe('42501');
    }
    await client.query('RESET row_security');
  });
});

test('what may not be read is refused as ever', async () => {
  await stage.admin.query(
    'CREATE TABLE main.hidden (n int); REVOKE ALL ON main.hidden FROM hatidata_reader',
  );
  await each(async (_, client) => {
    for (let round = 0; round < 20; round += 1) {
      await ask(client, 'simple', (asked) => asked === 2);
      expect(await codeOf(run(client, 'SELECT n FROM main.hidden', round))).toBe('42501');
    }
  });
});

test('sessions that began with other settings do not share it', async () => {
  const { rows } = await stage.admin.query("SELECT create_api_key('abroad', 'readonly') AS key");
  const abroad = await stage.proxy.client(String(rows[0].key), {
    options: '-c TimeZone=Etc/GMT-5',
  });
  const text = "SELECT to_char('2020-01-01 12:00Z'::timestamptz, 'HH24') AS hour";
  const [here] = clients.values();
  await here!.query("SET TimeZone = 'UTC'");
  await Promise.all(
    (
      [
        [abroad, '17'],
        [here!, '12'],
      ] as const
    ).map(async ([client, hour]) => {
      for (let round = 0; round < 100; round += 1)
        expect(await run(client, text, round)).toEqual([{ hour }]);
    }),
  );
  await here!.query('RESET TimeZone');
});

test('a plain view is shared', async () => {
  const before = await stage.count('statements');
  await each(async (_, client) => {
    for (let round = 0; round < 60; round += 1)
      expect(await run(client, 'SELECT note FROM main.plain WHERE id = 7', round)).toEqual([
        { note: 'note 7' },
      ]);
  });
  expect(await stage.count('statements')).toBeGreaterThan(before + 100);
});

test('the name of the lane is not told to clients', async () => {
  await each((_, client) => ask(client, 'simple', (asked) => asked === 50));
  const { rows } = await stage.admin.query(
    "SELECT DISTINCT application_name FROM _hatidata_status.clients WHERE agent LIKE 'agent %'",
  );
  expect(rows).toEqual([{ application_name: '' }]);
});

test('a table that gets a policy while they read it', async () => {
  await stage.admin.query(`
    CREATE TABLE main.turning (agent text);
    INSERT INTO main.turning SELECT 'agent ' || n FROM generate_series(0, 7) n`);
  let isOver = false;
  const seen: string[] = [];
  const reading = each(async (agent, client) => {
    for (let round = 0; !isOver; round += 1) {
      const rows = (await run(client, 'SELECT agent FROM main.turning', round)) as {
        agent: string;
      }[];
      const isOwn = rows.length === 1 && rows[0]!.agent === agent;
      seen.push(rows.length === agents.length ? 'all' : isOwn ? 'own' : `${rows.length} others`);
    }
  });
  const before = await stage.count('statements');
  await until(async () => (await stage.count('statements')) > before + 50);
  await stage.admin.query(`BEGIN;
    CREATE POLICY own ON main.turning USING (agent = hatidata.agent_id());
    ALTER TABLE main.turning ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
    COMMIT`);
  await until(() => seen.slice(-100).every((what) => what === 'own'));
  isOver = true;
  await reading;
  expect(new Set(seen)).toEqual(new Set(['all', 'own']));
});
