import type { OperatorRef } from '../sql/statement.ts';
import { isUnrestricted, type Authority } from './authority.ts';
import { builtinOperators } from './builtin-functions.ts';
import { named, type Surroundings } from './catalogue.ts';
import { isCallable, refusedFunction, unknownHint, userHint } from './functions.ts';
import type { Refusal } from './refusal.ts';

const shadowedHint =
  'The database has an operator of its own by this name, and PostgreSQL may prefer it. ' +
  'Write OPERATOR(pg_catalog.…) for its own.';

/** An operator runs a function; what it can mean is judged like a call. */
export function judgeOperator(
  authority: Authority,
  ref: OperatorRef,
  { catalogue, searched }: Surroundings,
): Refusal | undefined {
  if (isUnrestricted(authority)) return undefined;
  const { schema, name } = ref;
  const spelt = `operator ${schema === undefined ? name : `${schema}.${name}`}`;
  const isBuiltin = (schema === undefined || schema === 'pg_catalog') && builtinOperators.has(name);
  const candidates = named(catalogue.operators, ref, searched);
  const barrier = candidates
    .flatMap(({ runs }) => runs)
    .find((each) => !isCallable(authority, each));
  if (barrier)
    return refusedFunction(authority, spelt, isBuiltin ? shadowedHint : userHint(barrier));
  if (isBuiltin || candidates.length > 0) return undefined;
  return refusedFunction(authority, spelt, unknownHint);
}
