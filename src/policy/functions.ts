import type { FunctionRef } from '../sql/statement.ts';
import {
  builtinFields,
  builtinFunctions,
  informationSchemaFunctions,
} from './builtin-functions.ts';
import { functionFamilies } from './function-families.ts';
import { adminHint, type Refusal } from './refusal.ts';
import type { Scope } from './scope.ts';
import type { UserObjects } from './user-objects.ts';

/**
 * Functions, judged by how they are spelt. For readonly keys this is an allow-list of PostgreSQL's own: a function
 * of the user's or of an extension may do anything inside, so none is called.
 */

const hint = `Only PostgreSQL's own functions without side effects run in the readonly scope. ${adminHint}`;
const fieldHint =
  'PostgreSQL calls a function of that name when the value has no such field. ' +
  'If it is a field, select it by name from a sub-select: (SELECT (value).*).';

/** They convert what is in a document to the types of a row's columns, which nobody names. */
const populatesRows = /^jsonb?_populate_record/;
const rowHint =
  "The database has types whose conversion may run the user's code, and a column may be of such a type. " +
  `Use json_to_record or jsonb_to_record with PostgreSQL's own types. ${adminHint}`;
const shadowedHint =
  'The database has a function or type of its own by this name, and PostgreSQL may prefer it. ' +
  'Write pg_catalog.name for its own.';

export function judgeFunction(
  scope: Scope,
  ref: FunctionRef,
  objects: UserObjects,
): Refusal | undefined {
  const { schema, name, notation } = ref;
  if (isNeverCallable(ref)) return { code: 'never_allowed', params: { verb: `function ${name}` } };
  if (scope === 'admin') return undefined;
  const spelt = schema === undefined ? name : `${schema}.${name}`;
  const refusal = { code: 'function_not_allowed', params: { function: spelt } } as const;
  if (!isReviewed(ref)) return { ...refusal, hint: notation === 'field' ? fieldHint : hint };
  if (populatesRows.test(name) && objects.types.size > 0) return { ...refusal, hint: rowHint };
  // A better match for the arguments' types wins over PostgreSQL's own, whatever the search path: lower(varchar).
  // `name('x')` converts to a type of that name when no function fits. Fields are judged in `fields.ts`.
  const shadowed = objects.functions.has(name) || objects.types.has(name);
  const isSearched = schema === undefined && notation === 'call';
  return isSearched && shadowed ? { ...refusal, hint: shadowedHint } : undefined;
}

/** Only computes or tells something, as far as its name says. */
function isReviewed({ schema, name, notation }: FunctionRef): boolean {
  if (schema === 'information_schema') return informationSchemaFunctions.has(name);
  if (schema !== undefined && schema !== 'pg_catalog') return false;
  return builtinFunctions.has(name) || (notation === 'field' && builtinFields.has(name));
}

function isNeverCallable({ schema, name }: FunctionRef): boolean {
  return (schema === undefined || schema === 'pg_catalog') && isNeverCallableName(name);
}

export function isNeverCallableName(name: string): boolean {
  return functionFamilies.some(
    (family) => family.refusedFor === 'never' && family.names.test(name),
  );
}
