import type { OperatorRef } from '../sql/statement.ts';
import { builtinOperators } from './builtin-functions.ts';
import { adminHint, type Refusal } from './refusal.ts';
import type { Scope } from './scope.ts';
import type { UserObjects } from './user-objects.ts';

/** Of pgvector, pg_trgm and hstore: they compare or compute, and analytics on those types needs them. */
const reviewedExtensionOperators: ReadonlySet<string> = new Set([
  ...['<=>', '<#>', '<+>', '<~>', '<%>'],
  ...['%', '<%', '%>', '<<%', '%>>', '<->>', '<<->', '<<<->', '<->>>'],
]);

const hint = `Only PostgreSQL's own operators, and those of reviewed extensions, run in the readonly scope. ${adminHint}`;
const shadowedHint =
  'The database has an operator of its own by this name, and PostgreSQL may prefer it. ' +
  'Write OPERATOR(pg_catalog.…) for its own.';

/** An operator runs a function: one of another schema or of an unknown name may run anything. */
export function judgeOperator(
  scope: Scope,
  { schema, name }: OperatorRef,
  objects: UserObjects,
): Refusal | undefined {
  if (scope === 'admin') return undefined;
  const spelt = schema === undefined ? name : `${schema}.${name}`;
  const refusal = {
    code: 'function_not_allowed',
    params: { function: `operator ${spelt}` },
  } as const;
  const isBuiltin = builtinOperators.has(name);
  const isKnown = isBuiltin || reviewedExtensionOperators.has(name);
  if (!isKnown || (schema !== undefined && schema !== 'pg_catalog')) return { ...refusal, hint };
  // Only a search for the name can meet one of the user's: with a better match for the operands' types it wins.
  if (schema === undefined && objects.operators.has(name))
    return { ...refusal, hint: isBuiltin ? shadowedHint : hint };
  return undefined;
}
