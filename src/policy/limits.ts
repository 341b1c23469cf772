import type { Authority, Limits } from './authority.ts';
import { parsePath, spelledPath } from '../sql/quote.ts';

/**
 * Limits and grants of a key as people write them and the control store keeps them:
 *
 *     {"schemas": ["sales"], "tables": ["main.orders"], "functions": ["main.risk"]}
 *
 * Names are spelt as in SQL (`"Odd Name"."T"`); tables and functions carry their schema. `schemas` and `tables` together
 * are all that the key may touch, `functions` are what it may call besides.
 */
export interface Grants {
  readonly limits: Limits | undefined;
  readonly functions: ReadonlySet<string>;
}

export const noGrants: Grants = { limits: undefined, functions: new Set() };

/** A fault in the words of the one who wrote it. */
export class LimitsFault extends Error {
  override readonly name = 'LimitsFault';
}

const fields = ['schemas', 'tables', 'functions'] as const;
type Field = (typeof fields)[number];
const mostNames = 1_000;

/** @param text JSON. Throws LimitsFault. */
export function parseGrants(text: string): Grants {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new LimitsFault('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new LimitsFault('it is not a JSON object');
  const unknown = Object.keys(value).find((key) => !fields.some((field) => field === key));
  if (unknown !== undefined)
    throw new LimitsFault(`there is no "${unknown}"; there are ${fields.join(', ')}`);
  const given = value as Readonly<Partial<Record<Field, unknown>>>;
  const schemas = names(given, 'schemas').map((path) => path[0]!);
  const tables = new Map<string, Set<string>>();
  for (const [schema, table] of names(given, 'tables')) {
    const inSchema = tables.get(schema!) ?? new Set();
    tables.set(schema!, inSchema.add(table!));
  }
  const functions = names(given, 'functions').map(spelledPath);
  const isLimited = given.schemas !== undefined || given.tables !== undefined;
  if (isLimited && schemas.length === 0 && tables.size === 0)
    throw new LimitsFault('it leaves no schema and no table');
  return {
    limits: isLimited ? { schemas: new Set(schemas), tables } : undefined,
    functions: new Set(functions),
  };
}

function names(
  given: Readonly<Partial<Record<Field, unknown>>>,
  field: Field,
): readonly (readonly string[])[] {
  const list = given[field] ?? [];
  if (!Array.isArray(list) || list.some((each) => typeof each !== 'string'))
    throw new LimitsFault(`"${field}" is not a list of strings`);
  if (list.length > mostNames) throw new LimitsFault(`"${field}" has more than ${mostNames} names`);
  const parts = field === 'schemas' ? 1 : 2;
  return list.map((spelt: string) => {
    const path = parsePath(spelt);
    if (path?.length !== parts)
      throw new LimitsFault(
        `"${field}" needs names such as ${parts === 1 ? 'sales' : 'sales.orders'}, not ${JSON.stringify(spelt)}`,
      );
    if (path[0]!.startsWith('pg_') || path[0] === 'information_schema')
      throw new LimitsFault(`${path[0]!} is PostgreSQL's own`);
    return path;
  });
}

/** The same as JSON, or null for a key without. */
export function printGrants({ limits, functions }: Grants | Authority): string | null {
  if (limits === undefined && functions.size === 0) return null;
  const tables = [...(limits?.tables ?? [])].flatMap(([schema, each]) =>
    [...each].map((table) => spelledPath([schema, table])),
  );
  return JSON.stringify({
    ...(limits && { schemas: [...limits.schemas].map((each) => spelledPath([each])), tables }),
    ...(functions.size > 0 && { functions: [...functions] }),
  });
}
