/** The generated list against the catalogue of the server that we ship. */
import type { Client } from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  builtinFunctions,
  builtinOperators,
  informationSchemaFunctions,
} from '../../src/policy/builtin-functions.ts';
import { deniedFunctions } from '../../src/policy/denied-functions.ts';
import { reviewedVolatile } from '../../src/policy/function-families.ts';
import { connect, patience, temporaryProject, type Project } from '../engine/project.ts';

vi.setConfig({ testTimeout: patience, hookTimeout: patience });

let project: Project;
let client: Client;

beforeAll(async () => {
  project = await temporaryProject();
  client = await connect(await project.start(), 'superuser');
});

afterAll(async () => {
  await client.end();
  await project[Symbol.asyncDispose]();
});

async function names(query: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(query);
  expect(rows.length).toBeGreaterThan(5);
  return rows.map((row) => row.name);
}

test('a volatile or SECURITY DEFINER function is allowed only if it was reviewed', async () => {
  const effectful = await names(
    `SELECT DISTINCT proname AS name FROM pg_proc WHERE provolatile = 'v' OR prosecdef`,
  );
  const allowed = effectful.filter(
    (name) => builtinFunctions.has(name) || informationSchemaFunctions.has(name),
  );
  expect(allowed.filter((name) => !reviewedVolatile.includes(name))).toEqual([]);
});

test('nothing is allowed that the server does not have', async () => {
  const known = new Set([
    ...(await names('SELECT DISTINCT proname AS name FROM pg_proc')),
    ...(await names('SELECT typname AS name FROM pg_type')),
  ]);
  expect(
    [...builtinFunctions, ...informationSchemaFunctions].filter((name) => !known.has(name)),
  ).toEqual([]);
});

test('whatever `x.name` can call is allowed or denied', async () => {
  const callable = await names(
    `SELECT DISTINCT proname AS name FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND oid < 16384
        AND pronargs >= 1 AND pronargs - pronargdefaults <= 1 AND 'internal'::regtype <> ALL (proargtypes::oid[])`,
  );
  expect(callable.length).toBeGreaterThan(800);
  const unknown = callable.filter(
    (name) => !builtinFunctions.has(name) && !deniedFunctions.has(name),
  );
  expect(unknown).toEqual([]);
});

test('the operators are those of pg_catalog', async () => {
  const query = `SELECT DISTINCT oprname AS name FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace`;
  expect((await names(query)).toSorted()).toEqual([...builtinOperators].toSorted());
});

test('`(value).name` does call a function on a plain value, which is why fields are judged', async () => {
  const { rows } = await client.query<{ upper: string }>(`SELECT ('a'::text).upper`);
  expect(rows).toEqual([{ upper: 'A' }]);
});
