/** What Describe says of a prepared statement that runs another one, or a cursor, by its name: asyncpg and JDBC read rows by it. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frontend as f, RawClient } from '../../fixtures/raw-client.ts';
import { query, Stage, step, type Step, type Turn } from './stage.ts';

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open(2, 'CREATE TABLE t (i int, x text)');
});
afterAll(() => stage.close());

const prepare = query('PREPARE p AS SELECT 1 AS a, $1::text AS b');
const parsed = step(f.parse('p', 'SELECT 1 AS a, $1::text AS b'), f.sync());
const describe = step(f.parse('e', "EXECUTE p('x')"), f.describe('S', 'e'), f.sync());
const execute = step(f.bind('', 'e'), f.describe('P', ''), f.execute(''), f.sync());
const runsUnnamed = [f.bind('', ''), f.describe('P', ''), f.execute(''), f.sync()];
const describeUnnamed = [f.parse('', "EXECUTE p('x')"), f.describe('S', '')];

const scripts: Readonly<Record<string, readonly (Step | Turn)[]>> = {
  PREPARE: [prepare, describe, execute],
  'PREPARE in a transaction': [query('BEGIN'), prepare, describe, query('COMMIT'), execute],
  Parse: [parsed, describe, execute],
  'Parse, in one batch': [
    step(
      f.parse('p', 'SELECT 1 AS a, $1::text AS b'),
      f.parse('e', "EXECUTE p('x')"),
      f.describe('S', 'e'),
      f.bind('', 'e'),
      f.execute(''),
      f.sync(),
    ),
  ],
  'Parse, on another connection': [parsed, describe, 'elsewhere', describeAgain(), execute, 'back'],
  'Parse, on another connection, without a name': [
    parsed,
    'elsewhere',
    step(...describeUnnamed, f.sync()),
    step(...describeUnnamed, ...runsUnnamed),
    'back',
  ],
  'Parse, without a name': [parsed, step(...describeUnnamed, ...runsUnnamed)],
  'Parse, without a name, batch by batch': [
    parsed,
    step(f.parse('', "EXECUTE p('x')"), f.sync()),
    'elsewhere',
    step(f.describe('S', ''), f.sync()),
    step(...runsUnnamed),
    'back',
  ],
  'DEALLOCATE and another one': [
    prepare,
    describe,
    query('DEALLOCATE p'),
    query('PREPARE p AS SELECT $1::text AS only'),
    step(f.parse('again', "EXECUTE p('x')"), f.describe('S', 'again'), f.sync()),
    step(f.bind('', 'again'), f.execute(''), f.sync()),
  ],
  'a cursor': [
    query('BEGIN'),
    query('DECLARE c CURSOR FOR SELECT 1 AS a'),
    step(f.parse('f1', 'FETCH c'), f.describe('S', 'f1'), f.sync()),
    step(f.bind('', 'f1'), f.execute(''), f.sync()),
    query('COMMIT'),
    step(f.parse('f2', 'FETCH c'), f.describe('S', 'f2'), f.sync()),
  ],
  'in a transaction that has failed': [
    parsed,
    query('BEGIN'),
    query('SELECT 1/0'),
    describe,
    query('ROLLBACK'),
    describe,
    execute,
  ],
};

function describeAgain(): Step {
  return step(f.describe('S', 'e'), f.sync());
}

test.each(Object.entries(scripts))('%s', async (_, script) => {
  // Twice: what the first client has left behind must not be the second one's.
  for (let round = 0; round < 2; round += 1)
    expect(await stage.atProxy(script)).toEqual(await stage.atPostgres(script));
});

test('two clients that call different statements alike', async () => {
  const described = async (text: string): Promise<string[]> => {
    const client = await RawClient.login(stage.proxy.port);
    client.send(f.parse('p', text), f.parse('e', 'EXECUTE p'), f.describe('S', 'e'), f.sync());
    const row = (await client.untilReady()).find(({ type }) => type === 'T');
    client.close();
    return row === undefined ? [] : names(row.body);
  };
  expect(await described('SELECT 1 AS one')).toEqual(['one']);
  expect(await described("SELECT 'x' AS another, 2 AS more")).toEqual(['another', 'more']);
});

/** Of a RowDescription's columns. */
function names(body: Buffer): string[] {
  const found: string[] = [];
  for (let at = 2; at < body.length;) {
    const end = body.indexOf(0, at);
    found.push(body.toString('utf8', at, end));
    at = end + 19;
  }
  return found;
}
