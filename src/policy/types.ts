import type { HatiError } from '../errors.ts';
import { adminHint, refusalError, type Refusal } from './refusal.ts';
import type { Scope } from './scope.ts';
import type { UserObjects } from './user-objects.ts';

/** A domain checks what is converted to it, and a cast or an input function may be the user's: each may run anything. */
export function judgeType(scope: Scope, type: string, objects: UserObjects): Refusal | undefined {
  if (scope === 'admin' || !objects.types.has(type)) return undefined;
  return { code: 'type_not_allowed', params: { type }, hint: adminHint };
}

/** The same for the types that a client declares for its parameters: Bind converts to them. */
export function authorizeParameterTypes(
  scope: Scope,
  oids: readonly number[],
  objects: UserObjects,
): HatiError | undefined {
  if (scope === 'admin') return undefined;
  const oid = oids.find((each) => objects.typeOids.has(each));
  if (oid === undefined) return undefined;
  return refusalError({
    code: 'type_not_allowed',
    params: { type: `with OID ${oid}` },
    hint: adminHint,
  });
}
