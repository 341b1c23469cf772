import type pg from 'pg';
import { authorityOf, bundles } from '../../policy/authority.ts';
import { authorize } from '../../policy/authorize.ts';
import { builtinFunctions } from '../../policy/builtin-functions.ts';
import {
  emptyCatalogue,
  type Catalogue,
  type UserFunction,
  type UserOperator,
  type UserRelation,
  type UserType,
} from '../../policy/catalogue.ts';
import { trustOf } from '../../policy/function-trust.ts';
import { parsePathList, spelledPath } from '../../sql/quote.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import {
  builtinPartsSql,
  domainsSql,
  functionsSql,
  operatorsSql,
  pathsSql,
  relationsSql,
  unsafeTypesSql,
  type DomainRow,
  type FunctionRow,
  type OperatorRow,
  type PathRow,
  type RelationRow,
  type TypeRow,
} from './queries.ts';

/** Reads SQL that the database printed: definitions of views, checks of domains. */
export type ReadSql = (text: string) => ClassifiedText | Promise<ClassifiedText>;

/** Takes a snapshot of one database. The caller sees to it that nothing changes in between (one transaction). */
export async function buildCatalogue(
  client: pg.ClientBase,
  builtinNames: ReadonlySet<string>,
  read: ReadSql,
): Promise<Catalogue> {
  const { rows: functionRows } = await client.query<FunctionRow>(functionsSql);
  const { rows: builtins } = await client.query<{ oid: string; name: string }>(builtinPartsSql);
  const byOid = functionsByOid(functionRows, builtins);
  const { rows: operatorRows } = await client.query<OperatorRow>(operatorsSql);
  const untrusted = [...byOid].filter(([, { trust }]) => trust === 'none').map(([oid]) => oid);
  const { rows: relationRows } = await client.query<RelationRow>(relationsSql, [untrusted]);
  const partial: Catalogue = {
    ...emptyCatalogue,
    builtinNames,
    functions: grouped(functionRows, ({ oid, name }) => [name, byOid.get(oid)!]),
    operators: grouped<OperatorRow, UserOperator>(operatorRows, ({ schema, name, runs }) => [
      name,
      { schema, runs: byOid.get(runs) ?? unknownFunction },
    ]),
  };
  const types = await unsafeTypes(client, untrusted, partial, read);
  return {
    ...partial,
    types: grouped(types, ({ schema, name }) => [name, { schema }]),
    typeOids: new Set(types.map(({ oid }) => Number(oid))),
    relations: await relations(relationRows, read),
    defaultPath: await defaultPath(client),
  };
}

/** What a new session searches, by any setting that it could begin with. */
async function defaultPath(client: pg.ClientBase): Promise<readonly string[]> {
  const { rows } = await client.query<PathRow>(pathsSql);
  const { paths, ofUsers } = rows[0]!;
  const names = paths.flatMap(parsePathList);
  return names.includes('$user') ? [...names, ...ofUsers] : names;
}

const unknownFunction: UserFunction = { schema: 'pg_catalog', path: 'pg_catalog.?', trust: 'none' };

function functionsByOid(
  rows: readonly FunctionRow[],
  builtins: readonly { readonly oid: string; readonly name: string }[],
): Map<string, UserFunction> {
  const byOid = new Map<string, UserFunction>(
    builtins.map(({ oid, name }) => [
      oid,
      {
        schema: 'pg_catalog',
        path: `pg_catalog.${name}`,
        trust: builtinFunctions.has(name) ? 'reviewed' : 'none',
      },
    ]),
  );
  // Aggregates come last: they are what their parts are, and no aggregate is part of another.
  for (const row of rows.toSorted((a, b) => a.parts.length - b.parts.length)) {
    const { oid, schema, name, parts } = row;
    const hasUntrustedParts = parts.some((part) => (byOid.get(part)?.trust ?? 'none') === 'none');
    byOid.set(oid, {
      schema,
      path: spelledPath([schema, name]),
      trust: trustOf({ ...row, hasUntrustedParts }),
    });
  }
  return byOid;
}

/** Whom nobody has told anything: reads, and calls only what is known to compute. */
const stranger = authorityOf(
  new Set(bundles.readonly),
  { schemas: new Set(), tables: new Map() },
  new Set(),
);

/** Domains with checks are unsafe, unless what they check is harmless to all. */
async function unsafeTypes(
  client: pg.ClientBase,
  untrusted: readonly string[],
  partial: Catalogue,
  read: ReadSql,
): Promise<readonly TypeRow[]> {
  const unsafe = async (harmless: readonly string[]): Promise<readonly TypeRow[]> =>
    (await client.query<TypeRow>(unsafeTypesSql, [untrusted, harmless])).rows;
  const { rows: domains } = await client.query<DomainRow>(domainsSql);
  const atWorst = await unsafe([]);
  const cautious = {
    ...partial,
    types: grouped<TypeRow, UserType>(atWorst, ({ schema, name }) => [name, { schema }]),
  };
  const harmless: string[] = [];
  for (const { oid, checks } of domains) {
    const verdicts = await Promise.all(checks.map((check) => isHarmless(check, cautious, read)));
    if (verdicts.every(Boolean)) harmless.push(oid);
  }
  return harmless.length === 0 ? atWorst : unsafe(harmless);
}

async function isHarmless(check: string, catalogue: Catalogue, read: ReadSql): Promise<boolean> {
  const expression = /^CHECK (\(.*\))(?: NOT VALID)?$/s.exec(check)?.[1];
  if (expression === undefined) return false;
  try {
    const classified = await read(`SELECT ${expression}`);
    return authorize(stranger, classified, catalogue, new Set()) === undefined;
  } catch {
    return false;
  }
}

async function relations(
  rows: readonly RelationRow[],
  read: ReadSql,
): Promise<Catalogue['relations']> {
  const entries: [string, UserRelation][] = [];
  for (const { schema, name, definition, convertsUnasked } of rows) {
    const view = definition === null ? undefined : await viewOf(definition, read);
    entries.push([name, { schema, view, convertsUnasked }]);
  }
  return grouped(entries, (entry) => entry);
}

async function viewOf(definition: string, read: ReadSql): Promise<UserRelation['view']> {
  try {
    return (await read(definition)).statements[0] ?? 'unreadable';
  } catch {
    return 'unreadable';
  }
}

function grouped<Row, T>(
  rows: readonly Row[],
  entry: (row: Row) => readonly [string, T],
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const row of rows) {
    const [name, item] = entry(row);
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return groups;
}
