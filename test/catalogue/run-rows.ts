/**
 * Runs the rows of one section. After each case the database is as it was, byte for byte, and the session that was used
 * answers exactly what it is asked, in the state that it was in.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { frontend as f, show, type RawClient } from '../fixtures/raw-client.ts';
import { changes, type Digest } from './digest.ts';
import type { Case, ExchangeCase, Row, RowsCase, TextCase, Who } from './model.ts';
import { engineMajor, startWorld, type World } from './world.ts';

export function runRows(rows: readonly Row[], kind: 'plain' | 'hostile'): void {
  let world: World;
  let before: Digest;
  const sessions = new Map<Who, RawClient>();

  beforeAll(async () => {
    world = await startWorld(kind);
    before = await world.observer.digest();
    expect(Object.keys(before).length).toBeGreaterThan(70);
  });
  afterAll(() => world.stop());

  const session = async (who: Who): Promise<RawClient> => {
    const open = sessions.get(who) ?? (await world.login(who));
    sessions.set(who, open);
    return open;
  };

  describe.each(rows.filter(({ cases }) => cases.some(fits)).map((row) => [row.id, row] as const))(
    '%s',
    (_, row) => {
      test.each(row.cases.filter(fits).map((each) => [nameOf(each), each] as const))(
        `${row.title}: %s`,
        async (_name, each) => {
          try {
            await runCase(each, world, session);
          } catch (error) {
            // A session in an unknown state must not spoil the next case.
            for (const client of sessions.values()) client.close();
            sessions.clear();
            before = await world.observer.digest();
            throw error;
          }
          const after = await world.observer.digest();
          const changed = changes(before, after);
          before = after;
          expect(changed).toEqual('run' in each ? (each.changes ?? []) : []);
        },
      );
    },
  );
}

export function nameOf(each: Case): string {
  if ('text' in each) {
    const text = typeof each.text === 'string' ? JSON.stringify(each.text) : each.text.toString();
    return each.name ?? text.slice(0, 160);
  }
  return each.name;
}

function fits({ from, until }: Case): boolean {
  return engineMajor >= (from ?? 0) && engineMajor <= (until ?? Infinity);
}

async function runCase(
  each: Case,
  world: World,
  session: (who: Who) => Promise<RawClient>,
): Promise<void> {
  if ('run' in each) return each.run(world);
  if ('send' in each) return runExchange(each, world);
  const client = await session(each.as ?? 'readonly');
  const state = await stateOf(client);
  if ('refused' in each) await runText(each, client, world);
  else await runRead(each, client, world);
  if ('refused' in each) expect(await stateOf(client)).toEqual(state);
}

/** Those that the rows try to change. */
export const sessionSettings = [
  ...[
    'default_transaction_read_only',
    'default_transaction_isolation',
    'search_path',
    'row_security',
  ],
  ...['session_replication_role', 'client_encoding', 'TimeZone'],
  ...['standard_conforming_strings', 'client_min_messages', 'application_name', 'DateStyle'],
  ...['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'work_mem'],
  ...['maintenance_work_mem', 'temp_buffers', 'hash_mem_multiplier', 'max_stack_depth'],
];

export const settingsSql = `
  SELECT 'setting', name, setting FROM pg_settings
   WHERE name IN (${sessionSettings.map((name) => `'${name}'`).join()})`;

/** What a session remembers: settings, prepared statements, cursors, channels. Asked by the session itself. */
const stateSql = `
  ${settingsSql}
  UNION ALL SELECT 'prepared', name, statement FROM pg_prepared_statements
  UNION ALL SELECT 'cursor', name, statement FROM pg_cursors
  UNION ALL SELECT 'channel', channel, '' FROM pg_listening_channels() channel
  UNION ALL SELECT 'temporary schema', pg_my_temp_schema()::text, ''
  UNION ALL SELECT 'who', current_user, session_user`;

async function stateOf(client: RawClient): Promise<string[]> {
  const seen = await exchange(client, [f.query(stateSql)]);
  expect([seen.at(0), seen.at(-1)], JSON.stringify(seen)).toEqual(['T', 'Z I']);
  expect(seen.length).toBeGreaterThan(sessionSettings.length);
  return seen.toSorted();
}

/** Sends, and reads up to ReadyForQuery. A ReadyForQuery too many shows in what the next exchange sees. */
export async function exchange(
  client: RawClient,
  messages: readonly Buffer[],
  readies = 1,
): Promise<string[]> {
  client.send(...messages);
  const seen: string[] = [];
  // Notices and reports of settings may come at any time.
  for (let left = readies; left > 0; left -= 1) {
    seen.push(...show((await client.untilReady()).filter(({ type }) => !'NS'.includes(type))));
  }
  return seen;
}

/** One text by the extended protocol, and what waits behind it in the same batch. */
export function extended(text: string): Buffer[] {
  return [f.parse('', text), f.bind('', ''), f.describe('P', ''), f.execute(''), f.sync()];
}

const queuedBehind = [f.parse('', 'SELECT 1'), f.bind('', ''), f.execute('')];

async function runText(each: TextCase, client: RawClient, world: World): Promise<void> {
  const text = typeof each.text === 'string' ? each.text : each.text(world);
  const simple = [f.query(text)];
  const batch = [...extended(text).slice(0, -1), ...queuedBehind, f.sync()];
  const forms = [
    ['simple', simple],
    ['extended', batch],
  ] as const;
  for (const [protocol, messages] of forms) {
    expectSeen(refusal(each, await exchange(client, messages)), [each.refused, 'Z I'], protocol);
  }
  for (const [protocol, messages] of forms) {
    await exchange(client, [f.query('BEGIN')]);
    const seen = refusal(each, await exchange(client, messages));
    expectSeen(seen, [each.refused, 'Z E'], `${protocol}, in a transaction`);
    expectSeen(
      await exchange(client, [f.query('SELECT 1')]),
      [/^25P02 current transaction is aborted/, 'Z E'],
      'after it, in the transaction',
    );
    expect(await exchange(client, [f.query('ROLLBACK')])).toEqual(['C ROLLBACK', 'Z I']);
  }
}

/** Without the answers to messages before the one that the engine refused. */
function refusal({ by }: TextCase, seen: string[]): string[] {
  return by === 'engine' ? seen.filter((line) => !['1', '2', 'n', 'T'].includes(line)) : seen;
}

/** Errors are written without their letter in the tables. */
export function expectSeen(
  seen: readonly string[],
  expected: readonly (string | RegExp)[],
  when = '',
): void {
  expect(
    seen.map((each) => each.replace(/^E (?=[0-9A-Z]{5} )/, '')),
    `${when}: ${JSON.stringify(seen)}`,
  ).toEqual(
    expected.map((each) => (typeof each === 'string' ? each : expect.stringMatching(each))),
  );
}

async function runRead(each: RowsCase, client: RawClient, world: World): Promise<void> {
  const text = typeof each.text === 'string' ? each.text : each.text(world);
  const forms = each.simpleOnly ? [[f.query(text)]] : [[f.query(text)], extended(text)];
  for (const messages of forms) {
    const seen = await exchange(client, messages);
    const errors = seen.filter((line) => line.startsWith('E '));
    expect(errors, `${text}: ${JSON.stringify(seen)}`).toEqual([]);
    expect(seen.at(-1)).toBe('Z I');
    const rows = seen.filter((line) => line.startsWith('D ')).map((line) => line.slice(2));
    if (each.rows === 'any') expect(rows).not.toEqual([]);
    else expect(rows, text).toEqual(await expectedRows(each.rows, text, world));
  }
}

async function expectedRows(
  rows: Exclude<RowsCase['rows'], 'any'>,
  text: string,
  world: World,
): Promise<readonly string[]> {
  if (rows === 'none') return [];
  if (rows !== 'same') return rows;
  const types = { getTypeParser: () => (value: string) => value };
  const result = await world.direct.query<(string | null)[]>({ text, rowMode: 'array', types });
  expect(result.rows).not.toEqual([]);
  return result.rows.map((row) => row.map((value) => value ?? '').join('|'));
}

/** For what would hang where it is wrong. */
export async function within<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('nothing more came, and the end neither')), 10_000);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

async function runExchange(each: ExchangeCase, world: World): Promise<void> {
  const client = await world.login(each.as ?? 'readonly');
  client.send(...(typeof each.send === 'function' ? each.send(world) : each.send));
  const isClosed = each.sees.at(-1) === 'closed';
  const seen: string[] = [];
  if (isClosed) {
    seen.push(...show(await within(client.rest())), 'closed');
  } else {
    const readies = each.sees.filter((line) => String(line).startsWith('Z ')).length;
    seen.push(...(await within(exchange(client, [], readies))));
  }
  expectSeen(seen, each.sees, each.name);
  if (isClosed) return;
  // One ReadyForQuery too many would be read here.
  expectSeen(
    await exchange(client, [f.query('ROLLBACK'), f.query("SELECT 'after'")], 2),
    ['C ROLLBACK', 'Z I', 'T', 'D after', 'C SELECT 1', 'Z I'],
    'afterwards',
  );
  client.close();
}
