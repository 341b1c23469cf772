/** Statements and cursors that run each other by name: PostgreSQL 18 follows them round and round for Describe, until it goes down or for ever. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { frontend as f } from '../../fixtures/raw-client.ts';
import { Engine } from '../small-pool.ts';
import { query, Stage, step, type Step } from './stage.ts';

let stage: Stage;
let key: string;
let engine: Engine;

beforeAll(async () => {
  stage = await Stage.open(2, 'CREATE TABLE t (i int, x text)');
  const admin = await stage.proxy.client();
  key = String(
    (await admin.query("SELECT create_api_key('round', 'readonly') AS key")).rows[0].key,
  );
  await admin.end();
  engine = await Engine.look(stage.proxy);
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await stage.close();
});

const one = f.parse('one', 'SELECT 1 AS a');
const refused = (name: string): string =>
  `E 0A000 cannot run "${name}" by its name: it runs a statement or cursor by name itself`;

/** Each with what must be refused in it. */
const rounds: Readonly<Record<string, readonly [string, readonly Step[]]>> = {
  'EXECUTE of EXECUTE': [
    refused('e'),
    [
      step(one, f.parse('e', 'EXECUTE one'), f.close('S', 'one'), f.sync()),
      step(f.parse('one', 'EXECUTE e'), f.describe('S', 'one'), f.sync()),
    ],
  ],
  'EXECUTE of EXECUTE, in one batch': [
    refused('e'),
    [
      step(
        ...[one, f.parse('e', 'EXECUTE one'), f.close('S', 'one')],
        ...[f.parse('one', 'EXECUTE e'), f.describe('S', 'one'), f.sync()],
      ),
    ],
  ],
  'EXECUTE of EXECUTE, in a Query': [
    refused('e'),
    [step(one, f.parse('e', 'EXECUTE one'), f.sync()), query('EXECUTE e')],
  ],
  'EXECUTE of what came to EXECUTE later': [
    refused('one'),
    [
      step(one, f.parse('two', 'SELECT 2'), f.parse('e', 'EXECUTE one'), f.sync()),
      step(f.close('S', 'one'), f.parse('one', 'EXECUTE two'), f.sync()),
      step(f.bind('', 'e'), f.describe('P', ''), f.execute(''), f.sync()),
    ],
  ],
  'FETCH of FETCH': [
    refused('b'),
    [
      query('BEGIN'),
      step(one, f.parse('fa', 'FETCH a'), f.parse('fb', 'FETCH b'), f.sync()),
      step(f.bind('a', 'one'), f.bind('b', 'fa'), f.close('P', 'a'), f.sync()),
      step(f.bind('a', 'fb'), f.describe('P', 'a'), f.sync()),
      query('ROLLBACK'),
    ],
  ],
  'FETCH of FETCH, in one batch': [
    refused('b'),
    [
      step(
        ...[one, f.parse('fa', 'FETCH a'), f.parse('fb', 'FETCH b'), f.bind('a', 'one')],
        ...[f.bind('b', 'fa'), f.close('P', 'a'), f.bind('a', 'fb'), f.describe('P', 'a')],
        f.sync(),
      ),
    ],
  ],
  'FETCH of EXECUTE of FETCH': [
    refused('e'),
    [
      query('BEGIN'),
      step(f.parse('e', 'SELECT 1'), f.parse('x', 'EXECUTE e'), f.bind('a', 'x'), f.sync()),
      step(f.close('S', 'e'), f.parse('e', 'FETCH a'), f.sync()),
      step(f.parse('y', 'EXECUTE e'), f.describe('S', 'y'), f.sync()),
      query('ROLLBACK'),
    ],
  ],
};

test.each(Object.entries(rounds))('%s is refused', async (_, [refusal, script]) => {
  const answers = await stage.atProxy(script, key);
  expect(answers.flat()).toContain(refusal);
});

test('Describe of what came to run a statement by name later', async () => {
  const script = [
    query('BEGIN'),
    step(f.parse('e', 'SELECT 1'), f.parse('x', 'EXECUTE e'), f.bind('a', 'x'), f.sync()),
    step(f.close('S', 'e'), f.parse('e', 'FETCH a'), f.sync()),
    step(f.describe('S', 'x'), f.sync()),
    query('ROLLBACK'),
    query('SELECT 1'),
  ];
  const answers = await stage.atProxy(script, key);
  expect(answers[3]).toEqual(['t', 'E 26000 prepared statement "e" does not exist', 'Z E']);
  expect(answers[5]).toEqual(['T', 'D 1', 'C SELECT 1', 'Z I']);
});

test('DEALLOCATE of one that runs another by name', async () => {
  const script = [
    step(one, f.parse('e', 'EXECUTE one'), f.sync()),
    query('DEALLOCATE e'),
    step(f.bind('', 'e'), f.sync()),
    step(f.bind('', 'one'), f.execute(''), f.sync()),
  ];
  expect(await stage.atProxy(script, key)).toEqual(await stage.atPostgres(script));
});

test('FETCH of EXECUTE', async () => {
  const script = [
    query('BEGIN'),
    step(one, f.parse('e', 'EXECUTE one'), f.bind('a', 'e'), f.sync()),
    query('FETCH ALL a'),
    query('COMMIT'),
  ];
  expect(await stage.atProxy(script, key)).toEqual(await stage.atPostgres(script));
});

test('the engine has lived through all of it', async () => {
  // It ends every connection when one of its processes goes down.
  const { rows } = await engine.query('SELECT 1 AS alive');
  expect(rows).toEqual([{ alive: 1 }]);
});
