import { authorize } from '../../src/policy/authorize.ts';
import type { Scope } from '../../src/policy/scope.ts';
import { noUserObjects } from '../../src/policy/user-objects.ts';
import { analyse } from '../../src/sql/analyse.ts';

/** What a client of this scope would hear: the refusal's text, or `undefined` when the text may run. */
export function refusal(scope: Scope, text: string, objects = noUserObjects): string | undefined {
  return authorize(scope, analyse(text), objects)?.message;
}

export const readonlyCannot = (verb: string): string =>
  `Permission denied: readonly scope cannot execute ${verb}`;

export const readonlyCannotCall = (name: string): string =>
  `Permission denied: readonly scope cannot call function ${name}`;
