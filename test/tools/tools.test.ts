/**
 * What database tools send when they connect and browse, with a readonly key: it is answered, by either protocol, with
 * rows that show the objects of `database.sql`.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { RawClient } from '../fixtures/raw-client.ts';
import { readToolQueries, type ToolQuery } from './fixtures.ts';
import { refusedByDesign } from './refused-by-design.ts';
import { runToolQuery, type Outcome, type Protocol } from './run-query.ts';

const protocols: readonly Protocol[] = ['simple', 'extended'];
const queries = readToolQueries();
const tools = [...new Set(queries.map(({ tool }) => tool))];

let proxy: TestProxy;
let admin: pg.Client;
let key: string;

beforeAll(async () => {
  proxy = await startTestProxy();
  admin = await proxy.client();
  await admin.query(readFileSync(join(import.meta.dirname, 'database.sql'), 'utf8'));
  const { rows } = await admin.query("SELECT create_api_key('tools', 'readonly', 'tools')");
  key = rows[0].api_key;
});
afterAll(() => proxy.stop());

test('the fixtures were read', () => {
  expect(tools.length).toBeGreaterThanOrEqual(9);
  for (const tool of tools) {
    const titles = queries.flatMap((query) => (query.tool === tool ? [query.title] : []));
    expect(titles.length, tool).toBeGreaterThanOrEqual(5);
    expect(new Set(titles).size, tool).toBe(titles.length);
  }
});

describe.each(tools)('%s', (tool) => {
  const sent = queries
    .filter((query) => query.tool === tool)
    .flatMap((query) =>
      protocols
        .filter((protocol) => protocol === 'simple' || !query.simpleOnly)
        .map((protocol) => [protocol, query.title, query] as const),
    );

  test.each(sent)('%s: %s', async (protocol, _title, query) => {
    const values = await valuesOf(query);
    const outcome = await withKey((client) => runToolQuery(client, query, protocol, values));
    expect(outcome.error).toBeUndefined();
    if (query.sees.length === 0) expect(outcome.rows).toBe(0);
    for (const each of query.sees)
      expect(shows(outcome, each), `${each} in ${outcome.values.join('|').slice(0, 4000)}`).toBe(
        true,
      );
  });
});

describe('refused by design', () => {
  const sent = refusedByDesign.flatMap((each) =>
    protocols.map((protocol) => [protocol, each.click, each] as const),
  );

  test.each(sent)('%s: %s', async (protocol, _click, { text, message }) => {
    await withKey(async (client) => {
      const query = { text, parameters: [] };
      const refused = await runToolQuery(client, query, protocol, []);
      expect(refused.error).toEqual({ code: '42501', message });
      expect(refused.rows).toBe(0);
      // The session goes on, as the tool does.
      const next = { text: 'SELECT count(*) FROM shop.orders', parameters: [] };
      expect((await runToolQuery(client, next, protocol, [])).values).toEqual(['120']);
    });
  });
});

/** A tool's parameters are values it has read before; here the administrator reads them. */
async function valuesOf({ parameters }: ToolQuery): Promise<string[]> {
  const values: string[] = [];
  for (const { expression } of parameters) {
    const { rows } = await admin.query(`SELECT (${expression})::text AS value`);
    values.push(rows[0].value);
  }
  return values;
}

async function withKey<Result>(use: (client: RawClient) => Promise<Result>): Promise<Result> {
  const client = await RawClient.login(proxy.port, key);
  try {
    return await use(client);
  } finally {
    client.close();
  }
}

const shows = ({ values, tags }: Outcome, part: string): boolean =>
  tags.includes(part) || values.some((value) => value?.includes(part));
