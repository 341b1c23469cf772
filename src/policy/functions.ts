import type { FunctionRef } from '../sql/statement.ts';
import { isUnrestricted, nameOf, type Authority } from './authority.ts';
import { builtinFunctions, informationSchemaFunctions } from './builtin-functions.ts';
import { named, type Surroundings, type UserFunction } from './catalogue.ts';
import { functionFamilies } from './function-families.ts';
import { checksBuiltinType } from './input-types.ts';
import { adminHint, type Refusal } from './refusal.ts';
import { mayConvert } from './types.ts';

/**
 * Functions, judged by what they can resolve to. PostgreSQL's own go by an allow-list; those of extensions and of the
 * user by `trustOf`, or because the key names them.
 */

/** They convert what is in a document to the types of a row's columns, which nobody names. */
const populatesRows = /^jsonb?_populate_record/;
const rowHint =
  "The database has types whose conversion may run the user's code, and a column may be of such a type. " +
  `Use json_to_record or jsonb_to_record with PostgreSQL's own types. ${adminHint}`;
/** Not 42883: what is not known may exist by the time that it is called. */
export const unknownHint =
  'No such function is known where this session looks for it, and unknown ones are not called. ' +
  'Check the spelling and the search path, or name its schema.';
const shadowedHint =
  'The database has a function or type of its own by this name, and PostgreSQL may prefer it. ' +
  'Write pg_catalog.name for its own.';

export function judgeFunction(
  authority: Authority,
  ref: FunctionRef,
  around: Surroundings,
): Refusal | undefined {
  const { catalogue, searched } = around;
  const { schema, name } = ref;
  if ((schema === undefined || schema === 'pg_catalog') && isNeverCallableName(name))
    return { code: 'never_allowed', params: { verb: `function ${name}` } };
  if (isUnrestricted(authority)) return undefined;
  const spelt = schema === undefined ? name : `${schema}.${name}`;
  const refuse = (hint: string): Refusal => refusedFunction(authority, spelt, hint);
  if (schema === 'information_schema')
    return informationSchemaFunctions.has(name) ? undefined : refuse(builtinHint(name));
  const candidates = named(catalogue.functions, ref, searched);
  const isBuiltin =
    (schema === undefined || schema === 'pg_catalog') &&
    (isCallableBuiltin(authority, name) || checksBuiltinType(authority, ref, around));
  const barrier = candidates.find(
    (each) => !isCallable(authority, each) && !(isBuiltin && isPassedOver(each, ref, around)),
  );
  if (barrier) return refuse(isBuiltin && schema === undefined ? shadowedHint : userHint(barrier));
  // It may as well be one of PostgreSQL's own that this key may not call.
  const isRefusedBuiltin =
    !isBuiltin &&
    (schema ?? 'pg_catalog') === 'pg_catalog' &&
    (catalogue.builtinNames.has(name) || isInFamily(name));
  if (isRefusedBuiltin) return refuse(builtinHint(name));
  if (populatesRows.test(name) && catalogue.types.size > 0) return refuse(rowHint);
  // `name('x')` converts to a type of that name when no function fits.
  if (!mayConvert(authority, ref, around)) return refuse(shadowedHint);
  return isBuiltin || candidates.length > 0 ? undefined : refuse(unknownHint);
}

/**
 * PostgreSQL can't pick it for this call, where a built-in of the name is to be had: it takes another number of arguments; or
 * there are none, so that all of the name fit alike, and the first in the search path is PostgreSQL's own, unless the path
 * has pg_catalog in a place of its own.
 */
function isPassedOver(
  { takes }: UserFunction,
  { name, arity }: FunctionRef,
  { catalogue, searched }: Surroundings,
): boolean {
  if (arity === undefined) return false;
  if (arity < takes.least || arity > takes.most) return true;
  const isCatalogueFirst = searched?.has('pg_catalog') === false;
  return arity === 0 && isCatalogueFirst && catalogue.builtinsOfNoArgument.has(name);
}

function isInFamily(name: string): boolean {
  return functionFamilies.some((family) => family.names.test(name));
}

export function refusedFunction(authority: Authority, spelt: string, hint: string): Refusal {
  return {
    code: 'function_not_allowed',
    params: { who: nameOf(authority), function: spelt },
    hint,
  };
}

/** A function of an extension or of the user's. */
export function isCallable(authority: Authority, { path, trust }: UserFunction): boolean {
  if (trust === 'reviewed' || authority.functions.has(path)) return true;
  // What it reads inside is beyond the limits of a key.
  return trust === 'owners' && authority.limits === undefined && authority.scopes.has('query:read');
}

/** They tell values of any sequence that is named in a string. */
const tellsState: ReadonlySet<string> = new Set(['pg_sequence_last_value', 'pg_get_sequence_data']);

export function tellsTooMuch({ limits, scopes }: Authority, name: string): boolean {
  return tellsState.has(name) && !(limits === undefined && scopes.has('query:read'));
}

function isCallableBuiltin(authority: Authority, name: string): boolean {
  if (tellsTooMuch(authority, name)) return false;
  if (builtinFunctions.has(name)) return true;
  if (authority.limits !== undefined) return false;
  const family = functionFamilies.find((each) => each.names.test(name));
  return family?.scope !== undefined && authority.scopes.has(family.scope);
}

function builtinHint(name: string): string {
  const family = functionFamilies.find((each) => each.names.test(name));
  if (family === undefined)
    return `Only functions that are known to compute and change nothing can be called. ${adminHint}`;
  return `It ${family.reason}. ${adminHint}`;
}

export function userHint({ path }: UserFunction): string {
  return (
    `Functions of the database can be called when its owner made them, IMMUTABLE or STABLE and not SECURITY DEFINER; ` +
    `others, and for a key with limits all, when the key names them: functions ["${path}"].`
  );
}

export function isNeverCallableName(name: string): boolean {
  return functionFamilies.some((family) => family.never === true && family.names.test(name));
}
