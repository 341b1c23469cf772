/** What constants of a prepared statement mean, by its settings when it was prepared, wherever it runs: as at PostgreSQL. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { frontend as f, RawClient } from '../../fixtures/raw-client.ts';
import { play, query, run, Stage, step, whole, type Step, type Turn } from './stage.ts';

vi.setConfig({ testTimeout: 20_000 });

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open(2, 'CREATE TABLE t (i int)');
});
afterAll(() => stage.close());

const dayFirst = "SET DateStyle = 'ISO, DMY'";
const tokyo = "SET LOCAL TimeZone = 'Asia/Tokyo'";
const day = "SELECT '02/01/2020'::date";
const moment = "SELECT timestamptz '2020-01-01 00:00' AT TIME ZONE 'UTC'";
const prepare = (name: string, text: string): Step => step(f.parse(name, text), f.sync());

describe('as PostgreSQL', () => {
  test.each<[string, readonly (Step | Turn)[]]>([
    [
      'prepared, then other settings',
      [
        prepare('d', `${day}, timestamptz '2020-01-01 00:00' AT TIME ZONE 'UTC'`),
        query(dayFirst),
        query("SET TimeZone = 'Asia/Tokyo'"),
        run('d'),
        ...(['elsewhere', run('d'), 'back', run('d')] as const),
      ],
    ],
    [
      'the unnamed one',
      [
        prepare('', day),
        whole('s', dayFirst),
        ...(['elsewhere', run(''), 'back', run('')] as const),
      ],
    ],
    [
      'in a transaction with SET LOCAL',
      [prepare('n', moment), 'elsewhere', query('BEGIN'), query(tokyo), run('n'), query('COMMIT')],
    ],
    [
      'prepared behind SET LOCAL, used after the transaction',
      [
        ...[query('BEGIN'), query(tokyo), prepare('n', moment), run('n'), query('COMMIT')],
        ...(['elsewhere', run('n'), run('n'), 'back', run('n')] as const),
      ],
    ],
    [
      'a prepared SET LOCAL',
      [
        step(f.parse('n', tokyo), f.describe('S', 'n'), f.sync()),
        'elsewhere',
        ...[query('BEGIN'), run('n'), query('SHOW TimeZone'), query('COMMIT')],
        query('SHOW TimeZone'),
      ],
    ],
    [
      'a prepared SET',
      [
        prepare('n', dayFirst),
        ...(['elsewhere', run('n'), query(day), 'back', query(day)] as const),
      ],
    ],
    [
      'a prepared SET that is not first in its batch',
      [
        prepare('n', dayFirst),
        'elsewhere',
        step(f.close('P', 'p'), f.bind('', 'n'), f.execute(''), f.sync()),
        query(day),
      ],
    ],
    ...['RESET ALL', 'DISCARD ALL'].map((text): [string, readonly (Step | Turn)[]] => [
      `a prepared ${text} behind other settings`,
      [
        prepare('n', text),
        query(dayFirst),
        'elsewhere',
        step(f.close('P', 'p'), f.bind('', 'n'), f.execute(''), f.sync()),
        query(day),
      ],
    ]),
    [
      'EXECUTE in a transaction with SET LOCAL',
      [
        prepare('n', day),
        query('BEGIN'),
        query("SET LOCAL DateStyle = 'ISO, DMY'"),
        query('EXECUTE n'),
        run('n'),
        query('COMMIT'),
      ],
    ],
    [
      'in a transaction with a SET LOCAL of something else',
      [
        ...[query("SET DateStyle = 'ISO, MDY'"), prepare('n', day), query(dayFirst)],
        ...(['elsewhere', query('BEGIN'), query("SET LOCAL my.x = '1'"), run('n')] as const),
        ...[query('SHOW DateStyle'), query('ROLLBACK'), query('SHOW DateStyle'), run('n')],
      ],
    ],
    [
      'a VACUUM that was prepared under other settings',
      [prepare('v', 'VACUUM t'), query(dayFirst), 'elsewhere', run('v')],
    ],
  ])('%s', async (_, script) => {
    expect(await stage.atProxy(script)).toEqual(await stage.atPostgres(script));
  });
});

describe('the clock is read when a client prepares', () => {
  test.each([
    "SELECT 'now'::timestamptz",
    "SELECT timestamptz ' NOW '",
    "SELECT CAST('now' AS time)",
    "SELECT date_trunc('day', 'today'::date) - ('now'::timestamptz - 'today'::timestamptz)",
  ])('%s', async (text) => {
    const script = [whole('n', text), step(f.close('S', 'n'), f.sync()), whole('n', text)];
    const seen: string[] = [];
    for (let client = 0; client < 2; client += 1) {
      const raw = await RawClient.login(stage.proxy.port);
      const [first, , second] = await play(raw, script);
      seen.push(first![2]!, second![2]!);
      raw.close();
    }
    expect(seen.every((row) => row.startsWith('D '))).toBe(true);
    expect(new Set(seen).size).toBe(4);
  });
});
