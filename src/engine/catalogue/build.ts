import type pg from 'pg';
import { readonlyAuthority } from '../../policy/authority.ts';
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
import type { ReadSql, ViewDefinition, ViewReader } from './views.ts';
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

export interface Snapshot {
  readonly catalogue: Catalogue;
  /** False when some views could not be read now: it is worth another try. */
  readonly isWhole: boolean;
}

/** Takes a snapshot of one database. The caller sees to it that nothing changes in between (one transaction). */
export async function buildCatalogue(
  client: pg.ClientBase,
  builtinNames: ReadonlySet<string>,
  read: ReadSql,
  views: ViewReader,
): Promise<Snapshot> {
  const { rows: functionRows } = await client.query<FunctionRow>(functionsSql);
  const { rows: builtins } = await client.query<{ oid: string; name: string }>(builtinPartsSql);
  const byOid = functionsByOid(functionRows, builtins);
  const { rows: operatorRows } = await client.query<OperatorRow>(operatorsSql);
  const partial = {
    ...emptyCatalogue,
    builtinNames,
    ...namesOf(functionRows, operatorRows, byOid),
  };
  const untrusted = [...byOid].filter(([, { trust }]) => trust === 'none').map(([oid]) => oid);
  const types = await unsafeTypes(client, untrusted, partial, read);
  distrustTakersOf(new Set(types.map(({ oid }) => oid)), functionRows, byOid);
  const { rows: relationRows } = await client.query<RelationRow>(relationsSql, [
    types.map(({ oid }) => oid),
  ]);
  const definitions = await views.read(client, relationRows);
  const { rows: paths } = await client.query<PathRow>(pathsSql);
  const { paths: values, ofUsers } = paths[0]!;
  return {
    catalogue: {
      ...partial,
      ...namesOf(functionRows, operatorRows, byOid),
      types: grouped(types, ({ schema, name }) => [name, { schema }]),
      typeOids: new Set(types.map(({ oid }) => Number(oid))),
      relations: relations(relationRows, byOid, definitions),
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
  unsafe: ReadonlySet<string>,
  rows: readonly FunctionRow[],
  byOid: Map<string, UserFunction>,
): void {
  for (const { oid, argumentTypes } of rows) {
    if (argumentTypes.some((type) => unsafe.has(type)))
      byOid.set(oid, { ...byOid.get(oid)!, trust: 'none' });
  }
}

const unknownFunction: UserFunction = {
  schema: 'pg_catalog',
  path: 'pg_catalog.?',
  trust: 'none',
  takesOne: true,
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
      },
    ]),
  );
  // Aggregates come last: they are what their parts are, and no aggregate is part of another.
  for (const row of rows.toSorted((a, b) => a.parts.length - b.parts.length)) {
    const { oid, schema, name, parts, takesOne } = row;
    const hasUntrustedParts = parts.some((part) => (byOid.get(part)?.trust ?? 'none') === 'none');
    byOid.set(oid, {
      schema,
      path: spelledPath([schema, name]),
      trust: trustOf({ ...row, hasUntrustedParts }),
      takesOne,
    });
  }
  return byOid;
}

/** Domains with checks are unsafe, unless what they check is harmless. */
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
    return authorize(readonlyAuthority, classified, catalogue, new Set()) === undefined;
  } catch {
    return false;
  }
}

function relations(
  rows: readonly RelationRow[],
  byOid: ReadonlyMap<string, UserFunction>,
  definitions: ReadonlyMap<string, ViewDefinition>,
): Catalogue['relations'] {
  const made = new Map<string, UserRelation & { reads: readonly UserRelation[] }>();
  for (const { oid, schema, isUnsafe, runs } of rows) {
    const view = definitions.get(oid);
    made.set(oid, { schema, view, isUnsafe, runs: functionsOf(runs, byOid), reads: [] });
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
