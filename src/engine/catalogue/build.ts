import type pg from 'pg';
import { readonlyAuthority, type Authority } from '../../policy/authority.ts';
import { authorize } from '../../policy/authorize.ts';
import { builtinFunctions } from '../../policy/builtin-functions.ts';
import {
  emptyCatalogue,
  type Catalogue,
  type Conversion,
  type UserFunction,
  type UserOperator,
  type UserRelation,
  type UserType,
} from '../../policy/catalogue.ts';
import { trustOf } from '../../policy/function-trust.ts';
import { parsePathList, spelledPath } from '../../sql/quote.ts';
import type { ReadSql, ViewDefinition, ViewReader } from './views.ts';
import {
  builtinPartsSql,
  domainsSql,
  functionsSql,
  operatorsSql,
  pathsSql,
  relationsSql,
  unsafeTypesSql,
  type BuiltinRow,
  type DomainRow,
  type FunctionRow,
  type OperatorRow,
  type PathRow,
  type RelationRow,
  type TypeRow,
} from './queries.ts';

export interface Snapshot {
  readonly catalogue: Catalogue;
  /** False when some views could not be read now: it is worth another try. */
  readonly isWhole: boolean;
}

/** Takes a snapshot of one database. The caller sees to it that nothing changes in between (one transaction). */
export async function buildCatalogue(
  client: pg.ClientBase,
  builtins: readonly BuiltinRow[],
  read: ReadSql,
  views: ViewReader,
): Promise<Snapshot> {
  const { rows: functionRows } = await client.query<FunctionRow>(functionsSql);
  const { rows: parts } = await client.query<{ oid: string; name: string }>(builtinPartsSql);
  const byOid = functionsByOid(functionRows, parts);
  const { rows: operatorRows } = await client.query<OperatorRow>(operatorsSql);
  const partial = {
    ...emptyCatalogue,
    builtinNames: new Set(builtins.map(({ name }) => name)),
    builtinsOfNoArgument: new Set(
      builtins.filter(({ takesNone }) => takesNone).map(({ name }) => name),
    ),
    ...namesOf(functionRows, operatorRows, byOid),
  };
  const types = await unsafeTypes(client, byOid, partial, read);
  distrustTakersOf(types, functionRows, byOid);
  const { rows: relationRows } = await client.query<RelationRow>(relationsSql, [[...types.keys()]]);
  const definitions = await views.read(client, relationRows);
  const { rows: paths } = await client.query<PathRow>(pathsSql);
  const { paths: values, ofUsers } = paths[0]!;
  return {
    catalogue: {
      ...partial,
      ...namesOf(functionRows, operatorRows, byOid),
      types: namedTypes(types),
      typeOids: new Map([...types].map(([oid, { conversion }]) => [Number(oid), conversion])),
      relations: relations(relationRows, byOid, types, definitions),
      defaultPath: values.flatMap(parsePathList),
      userSchemas: ofUsers,
    },
    isWhole: !relationRows.some(
      ({ oid, isTooLong }) => !isTooLong && definitions.get(oid) === 'unreadable',
    ),
  };
}

function namesOf(
  functions: readonly FunctionRow[],
  operators: readonly OperatorRow[],
  byOid: ReadonlyMap<string, UserFunction>,
): Pick<Catalogue, 'functions' | 'operators'> {
  return {
    functions: grouped(functions, ({ oid, name }) => [name, byOid.get(oid)!]),
    operators: grouped<OperatorRow, UserOperator>(operators, ({ schema, name, runs }) => [
      name,
      { schema, runs: functionsOf(runs, byOid) },
    ]),
  };
}

/** To call a function is to convert to the types of its arguments. */
function distrustTakersOf(
  types: UnsafeTypes,
  rows: readonly FunctionRow[],
  byOid: Map<string, UserFunction>,
): void {
  for (const { oid, argumentTypes } of rows) {
    const known = byOid.get(oid)!;
    const conversion = leastTrusted(argumentTypes.map((type) => types.get(type)?.conversion));
    if (conversion === 'none' || (conversion === 'owners' && known.trust === 'reviewed'))
      byOid.set(oid, { ...known, trust: conversion });
  }
}

function leastTrusted(all: readonly (Conversion | undefined)[]): Conversion | undefined {
  return all.includes('none') ? 'none' : all.find((each) => each !== undefined);
}

const anyNumber = { least: 0, most: Infinity };

const unknownFunction: UserFunction = {
  schema: 'pg_catalog',
  path: 'pg_catalog.?',
  trust: 'none',
  takesOne: true,
  takes: anyNumber,
};

const judgedByArguments: ReadonlySet<string> = new Set(['set_config', 'current_setting']);

function functionsOf(
  oids: readonly string[],
  byOid: ReadonlyMap<string, UserFunction>,
): readonly UserFunction[] {
  return oids.map((oid) => byOid.get(oid) ?? unknownFunction);
}

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
        // Those are judged by the arguments of each call, which nobody sees behind an operator or an aggregate.
        trust: builtinFunctions.has(name) && !judgedByArguments.has(name) ? 'reviewed' : 'none',
        takesOne: false,
        takes: anyNumber,
      },
    ]),
  );
  // Aggregates come last: they are what their parts are, and no aggregate is part of another.
  for (const row of rows.toSorted((a, b) => a.parts.length - b.parts.length)) {
    const { oid, schema, name, parts, takesOne, least, most } = row;
    const hasUntrustedParts = parts.some((part) => (byOid.get(part)?.trust ?? 'none') === 'none');
    byOid.set(oid, {
      schema,
      path: spelledPath([schema, name]),
      trust: trustOf({ ...row, hasUntrustedParts }),
      takesOne,
      takes: { least, most: most ?? Infinity },
    });
  }
  return byOid;
}

type UnsafeTypes = ReadonlyMap<string, TypeRow & { readonly conversion: Conversion }>;

/** Whom no function of the owner's is trusted to. */
const stranger = {
  ...readonlyAuthority,
  limits: { schemas: new Set<string>(), tables: new Map() },
};

async function unsafeTypes(
  client: pg.ClientBase,
  byOid: ReadonlyMap<string, UserFunction>,
  partial: Catalogue,
  read: ReadSql,
): Promise<UnsafeTypes> {
  const { rows: domains } = await client.query<DomainRow>(domainsSql);
  const all = new Map<string, TypeRow & { conversion: Conversion }>();
  for (const [conversion, authority] of [
    ['owners', stranger],
    ['none', readonlyAuthority],
  ] as const) {
    const isBarred = ({ trust }: UserFunction): boolean =>
      trust === 'none' || (trust === 'owners' && conversion === 'owners');
    const barred = [...byOid].filter(([, each]) => isBarred(each)).map(([oid]) => oid);
    const found = async (harmless: readonly string[]): Promise<readonly TypeRow[]> =>
      (await client.query<TypeRow>(unsafeTypesSql, [barred, harmless])).rows;
    // Domains with checks are unsafe, unless what they check is harmless, even if all the others are not.
    const atWorst = await found([]);
    const cautious = {
      ...partial,
      types: grouped<TypeRow, UserType>(atWorst, ({ schema, name }) => [
        name,
        { schema, conversion: 'none' },
      ]),
    };
    const harmless: string[] = [];
    for (const { oid, checks } of domains) {
      const verdicts = await Promise.all(
        checks.map((check) => isHarmless(check, authority, cautious, read)),
      );
      if (verdicts.every(Boolean)) harmless.push(oid);
    }
    for (const row of harmless.length === 0 ? atWorst : await found(harmless))
      all.set(row.oid, { ...row, conversion });
  }
  return all;
}

function namedTypes(types: UnsafeTypes): Catalogue['types'] {
  return grouped([...types.values()], ({ schema, name, conversion }) => [
    name,
    { schema, conversion },
  ]);
}

async function isHarmless(
  check: string,
  authority: Authority,
  catalogue: Catalogue,
  read: ReadSql,
): Promise<boolean> {
  const expression = /^CHECK (\(.*\))(?: NOT VALID)?$/s.exec(check)?.[1];
  if (expression === undefined) return false;
  try {
    const classified = await read(`SELECT ${expression}`);
    return authorize(authority, classified, catalogue, new Set()) === undefined;
  } catch {
    return false;
  }
}

function relations(
  rows: readonly RelationRow[],
  byOid: ReadonlyMap<string, UserFunction>,
  types: UnsafeTypes,
  definitions: ReadonlyMap<string, ViewDefinition>,
): Catalogue['relations'] {
  const made = new Map<string, UserRelation & { reads: readonly UserRelation[] }>();
  for (const { oid, schema, unsafeTypes: unsafe, runs, writes, guards, readsAlike } of rows) {
    const view = definitions.get(oid);
    const converts = leastTrusted(unsafe.map((type) => types.get(type)?.conversion));
    const runsOf = functionsOf(runs, byOid);
    const how = { writes, guards, readsAlike };
    made.set(oid, { schema, view, converts, runs: runsOf, reads: [], ...how });
  }
  for (const { oid, reads } of rows)
    made.get(oid)!.reads = reads.flatMap((each) => made.get(each) ?? []);
  return grouped(rows, ({ oid, name }) => [name, made.get(oid)!]);
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
