import type { HatiError } from '../errors.ts';
import { first } from '../shared/first.ts';
import type { Act, ClassifiedText, RelationRef, Statement, SystemCall } from '../sql/statement.ts';
import { keySchema, statusSchema } from '../sql/system-call.ts';
import { isUnrestricted, nameOf, readonlyAuthority, type Authority } from './authority.ts';
import { emptyCatalogue, named, numberOf, type Catalogue, type Surroundings } from './catalogue.ts';
import { judgeField } from './fields.ts';
import { judgeFunction } from './functions.ts';
import { judgeOperator } from './operators.ts';
import { refusalError, type Refusal } from './refusal.ts';
import { describeLimits, isSystemRelation, judgeRelation } from './relations.ts';
import { obstacle } from './requirements.ts';
import { refuseSetting } from './settings.ts';
import { judgeType } from './types.ts';
import { judgeReadings } from './views.ts';

/**
 * May this key run this text? One refused statement refuses the whole text, before any of it runs.
 * @param searched see `Surroundings`.
 */
export function authorize(
  authority: Authority,
  text: ClassifiedText,
  catalogue: Catalogue,
  searched?: ReadonlySet<string>,
): HatiError | undefined {
  const known = text.passedBy as PassedBy | undefined;
  if (
    known?.authority === authority &&
    known.catalogue === numberOf(catalogue) &&
    known.searched === searched
  )
    return undefined;
  const refused = judge(authority, text, { catalogue, searched });
  if (refused === undefined)
    text.passedBy = { authority, catalogue: numberOf(catalogue), searched };
  return refused;
}

interface PassedBy {
  readonly authority: Authority;
  /** By its number. */
  readonly catalogue: number;
  readonly searched: ReadonlySet<string> | undefined;
}

function judge(
  authority: Authority,
  text: ClassifiedText,
  around: Surroundings,
): HatiError | undefined {
  for (const [index, statement] of text.statements.entries()) {
    const refusal = refuseStatement(authority, statement, around);
    if (!refusal) continue;
    const count = text.statements.length;
    return refusalError(
      refusal,
      count > 1 ? `statement ${index + 1} of ${count}; none was run` : undefined,
    );
  }
  return undefined;
}

function refuseStatement(
  authority: Authority,
  statement: Statement,
  around: Surroundings,
): Refusal | undefined {
  const { system } = statement;
  // Answered by us from what we read; the engine sees nothing of them.
  if (system?.kind === 'sessionParameter') return undefined;
  if (system?.kind === 'keyFunction')
    return authority.scopes.has('key:write') ? undefined : needs('key:write', system.name);
  // To read what is ours takes a scope of its own.
  const acts = system ? statement.acts.filter((act) => act.class !== 'read') : statement.acts;
  const refused = first(acts, (act) => refuseAct(authority, act, statement, around));
  if (refused) return refused;
  if (system) return refuseSystemUse(authority, statement, system);
  return refuseTemporary(authority, statement) ?? refuseReferences(authority, statement, around);
}

function refuseAct(
  authority: Authority,
  act: Act,
  statement: Statement,
  around: Surroundings,
): Refusal | undefined {
  const isOfCatalogue =
    act.class === 'read' &&
    statement.relations.every((ref) => isSystemRelation(ref, around.catalogue));
  const found = obstacle(authority, isOfCatalogue ? 'catalogueRead' : act.class);
  if (found === undefined) return undefined;
  const { verb } = act;
  // Clients know this sentence word for word, and psycopg and asyncpg put a hint into the error's text.
  if (nameOf(authority) === 'readonly scope') return { code: 'readonly_scope', params: { verb } };
  if (found === 'never') return { code: 'never_allowed', params: { verb } };
  if (found === 'limits') {
    const limits = authority.limits === undefined ? 'nothing' : describeLimits(authority.limits);
    return { code: 'beyond_limits', params: { verb, limits } };
  }
  return needs(found.missing, verb);
}

/** A temporary table lies in no schema that a limit could name. */
function refuseTemporary({ limits }: Authority, { effects }: Statement): Refusal | undefined {
  if (limits === undefined || !effects.includes('temporaryTable')) return undefined;
  const params = { verb: 'a temporary table', limits: describeLimits(limits) };
  return { code: 'beyond_limits', params };
}

function refuseSystemUse(
  authority: Authority,
  statement: Statement,
  system: Extract<SystemCall, { kind: 'systemRead' | 'misused' }>,
): Refusal | undefined {
  const status = namesStatus(statement, system);
  if (status !== undefined && !isUnrestricted(authority)) {
    const params = { who: nameOf(authority), relation: status };
    return { code: 'relation_not_allowed', params, hint: 'It takes an admin key without limits.' };
  }
  if (system.kind === 'misused') {
    if (system.adminOnly && !authority.scopes.has('key:write'))
      return needs('key:write', system.what);
    return { code: 'system_statement_shape', params: { what: system.what }, hint: system.hint };
  }
  const what = pathOf(statement, system.schema);
  if (statement.relations.some(({ schema }) => schema === keySchema))
    if (!authority.scopes.has('key:read')) return needs('key:read', what);
  // This read runs beside the control store, so not even an admin key may bring a function that does something. Its
  // search path there is pg_catalog alone.
  const refusal = refuseReferences(readonlyAuthority, statement, {
    catalogue: emptyCatalogue,
    searched: new Set(),
  });
  if (!refusal) return undefined;
  const other = refusal.params['function'] ?? refusal.params['relation'] ?? 'a setting';
  const hint = "Only the system catalogues and PostgreSQL's own functions can be used beside it.";
  return {
    code: 'system_statement_shape',
    params: { what: `${other} beside ${what}` },
    hint,
  };
}

/** What other clients do is for those to see who may do anything. */
function namesStatus(
  statement: Statement,
  system: Extract<SystemCall, { kind: 'systemRead' | 'misused' }>,
): string | undefined {
  if (system.kind === 'misused') return system.what === statusSchema ? system.what : undefined;
  const isNamed = statement.relations.some(({ schema }) => schema === statusSchema);
  return isNamed ? pathOf(statement, statusSchema) : undefined;
}

/** The first relation of that schema that it names. */
function pathOf({ relations }: Statement, of: string): string {
  return `${of}.${relations.find(({ schema }) => schema === of)?.name ?? ''}`;
}

function refuseReferences(
  authority: Authority,
  statement: Statement,
  around: Surroundings,
): Refusal | undefined {
  return (
    first(statement.settings, (change) => refuseSetting(authority, change)) ??
    refuseCalls(authority, statement, around) ??
    first(statement.relations, (ref) =>
      judgeRelation(authority, ref, around.catalogue, statement.seesOptions),
    ) ??
    judgeReadings(authority, readBy(statement, around), around, refuseCalls)
  );
}

/** LOCK TABLE runs nothing, but it goes on to what a view reads: it shall reach no further than a read of that view. */
function readBy(
  { acts, relations }: Statement,
  { catalogue, searched }: Surroundings,
): readonly RelationRef[] {
  if (!acts.every((act) => act.class === 'readLock')) return relations;
  return relations.filter((ref) =>
    named(catalogue.relations, ref, searched).some(({ view }) => view !== undefined),
  );
}

/** Everything by which a statement runs functions. */
function refuseCalls(
  authority: Authority,
  statement: Statement,
  around: Surroundings,
): Refusal | undefined {
  return (
    first(statement.functions, (ref) => judgeFunction(authority, ref, around)) ??
    first(statement.fieldNames, (name) => judgeField(authority, name, around)) ??
    first(statement.operators, (ref) => judgeOperator(authority, ref, around)) ??
    first(statement.types, (type) => judgeType(authority, type, around))
  );
}

function needs(scope: string, what: string): Refusal {
  return { code: 'scope_missing', params: { what, scope } };
}
