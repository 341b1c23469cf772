/** What a statement names may mean something else when it is executed than when it was prepared or bound: it is judged by that. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { frontend as f } from '../../fixtures/raw-client.ts';
import { sleep, value } from '../small-pool.ts';
import { query, run, Stage, step, type Step } from './stage.ts';

vi.setConfig({ testTimeout: 20_000 });

let stage: Stage;
let key: string;

beforeAll(async () => {
  stage = await Stage.open(
    2,
    `CREATE TABLE orders (id int); INSERT INTO orders VALUES (1), (2);
     CREATE SCHEMA evil;
     CREATE TABLE evil.orders (id int); INSERT INTO evil.orders VALUES (-1);
     CREATE FUNCTION evil.count(int) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN -1; END';
     GRANT USAGE ON SCHEMA evil TO hatidata_reader;
     GRANT SELECT ON orders, evil.orders TO hatidata_reader;
     GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA evil TO hatidata_reader`,
  );
  const admin = await stage.proxy.client();
  key = String(await value(admin, "SELECT create_api_key('reader', 'readonly')"));
  await admin.end();
  // What was just made is known to the proxy from now on.
  await sleep(2_500);
});
afterAll(() => stage.close());

const counting = 'SELECT count(id) FROM main.orders';
const prepare = (name: string, text: string): Step => step(f.parse(name, text), f.sync());
const bound = (portal: string, name: string): Step => step(f.bind(portal, name), f.sync());
const executed = (portal: string): Step => step(f.execute(portal), f.sync());
const [begin, other] = [query('BEGIN'), query('SET search_path = evil, main')];

/** The last step of each would run a function that a readonly key may not run. */
const cases: Record<string, readonly Step[]> = {
  'an EXECUTE that is bound behind it': [
    ...[prepare('q', counting), prepare('e', 'EXECUTE q'), run('e'), other, run('e')],
  ],
  'an EXECUTE of what PREPARE made': [
    ...[query(`PREPARE q AS ${counting}`), prepare('e', 'EXECUTE q'), run('e'), other, run('e')],
  ],
  'an EXPLAIN of an EXECUTE': [
    ...[prepare('q', counting), prepare('e', 'EXPLAIN (ANALYZE) EXECUTE q'), other, run('e')],
  ],
  'the portal of an EXECUTE': [
    ...[prepare('q', counting), prepare('e', 'EXECUTE q'), begin, bound('p', 'e'), other],
    executed('p'),
  ],
  'the portal of an EXECUTE of what PREPARE made': [
    ...[query(`PREPARE q AS ${counting}`), prepare('e', 'EXECUTE q'), begin, bound('p', 'e')],
    ...[other, executed('p')],
  ],
  'the portal of an EXECUTE, in one batch': [
    ...[prepare('q', counting), prepare('e', 'EXECUTE q'), prepare('s', 'SET search_path = evil')],
    step(f.bind('p', 'e'), f.bind('', 's'), f.execute(''), f.execute('p'), f.sync()),
  ],
  'FETCH of such a portal': [
    ...[query(`PREPARE q AS ${counting}`), prepare('e', 'EXECUTE q'), begin, bound('p', 'e')],
    ...[other, query('FETCH ALL FROM p')],
  ],
  'MOVE of such a portal': [
    ...[query(`PREPARE q AS ${counting}`), prepare('e', 'EXECUTE q'), begin, bound('p', 'e')],
    ...[other, query('MOVE 0 FROM p'), query('FETCH ALL FROM p')],
  ],
  'the portal of a FETCH of such a portal': [
    ...[query(`PREPARE q AS ${counting}`), prepare('e', 'EXECUTE q'), prepare('g', 'FETCH ALL p')],
    ...[begin, bound('p', 'e'), bound('g', 'g'), other, executed('g')],
  ],
  'an EXECUTE in the Query that changes it': [
    ...[prepare('q', counting), query('SET search_path = evil, main; EXECUTE q')],
  ],
  'a FETCH in the Query that changes it': [
    ...[query(`PREPARE q AS ${counting}`), prepare('e', 'EXECUTE q'), begin, bound('p', 'e')],
    query('SET search_path = evil, main; FETCH ALL FROM p'),
  ],
  'the portal of a COPY of a query': [
    ...[prepare('c', `COPY (${counting}) TO STDOUT`), begin, bound('p', 'c'), other],
    executed('p'),
  ],
  'the portal of a COPY, its statement closed': [
    ...[prepare('c', `COPY (${counting}) TO STDOUT`), begin, bound('p', 'c')],
    ...[step(f.close('S', 'c'), f.sync()), other, executed('p')],
  ],
  'the portal of a COPY with a name of which PostgreSQL sees the beginning': [
    ...[prepare('c', `COPY (${counting}) TO STDOUT`), begin, bound('p'.repeat(70), 'c'), other],
    executed(`${'p'.repeat(69)}!`),
  ],
  'EXECUTE of what the protocol has made PREPARE twice': [
    ...[prepare('m', `PREPARE q AS ${counting}`), run('m'), step(f.close('S', 'q'), f.sync())],
    ...[run('m'), other, query('EXECUTE q')],
  ],
  'the same, by an EXECUTE': [
    ...[prepare('m', `PREPARE q AS ${counting}`), query('EXECUTE m')],
    ...[step(f.close('S', 'q'), f.sync()), query('EXECUTE m'), other, query('EXECUTE q')],
  ],
};

describe('after the search path has changed', () => {
  test.each(Object.entries(cases))('%s', async (_, script) => {
    const answers = await stage.atProxy(script, key);
    // The last one is the answer to an empty query.
    const last = answers.at(-2)!;
    expect(answers.flat().filter((each) => /^[Dd] -1/.test(each))).toEqual([]);
    expect(last.filter((each) => each.startsWith('E 42501'))).toHaveLength(1);
    // Nothing else is in the way of it.
    const free = await stage.atProxy(script);
    expect(free.flat().filter((each) => each.startsWith('E'))).toEqual([]);
  });

  test('a query that was bound before it is what it was', async () => {
    const script = [prepare('q', counting), begin, bound('p', 'q'), other, executed('p')];
    for (const of of ['', key])
      expect((await stage.atProxy(script, of)).at(-2)).toEqual(['D 2', 'C SELECT 1', 'Z T']);
  });
});

/** EXECUTE gives values to parameters where nobody looks for names of settings. */
test('EXECUTE of what reads a setting whose name is a parameter', async () => {
  const reading = step(f.parse('q', 'SELECT current_setting($1)', [25]), f.sync());
  const bind = step(f.bind('', 'q', ['port']), f.execute(''), f.sync());
  const script = [reading, bind, query("EXECUTE q('data_directory')")];
  const answers = await stage.atProxy(script, key);
  expect(answers[2]).toEqual([
    'E 42501 Permission denied: readonly scope cannot read setting of a name that is not a constant',
    'Z I',
  ]);
  const nested = [reading, prepare('e', "EXECUTE q('data_directory')"), run('e')];
  expect((await stage.atProxy(nested, key)).flat().join('\n')).toMatch(
    /E 42501 Permission denied: readonly scope cannot read setting/,
  );
});
