import { adminHint, type Refusal } from './refusal.ts';
import type { Scope } from './scope.ts';
import type { UserObjects } from './user-objects.ts';

/** A domain checks what is converted to it, and a cast or an input function may be the user's: each may run anything. */
export function judgeType(scope: Scope, type: string, objects: UserObjects): Refusal | undefined {
  if (scope === 'admin' || !objects.types.has(type)) return undefined;
  return { code: 'type_not_allowed', params: { type }, hint: adminHint };
}
