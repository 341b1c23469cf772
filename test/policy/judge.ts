import { authorize } from '../../src/policy/authorize.ts';
import type { Scope } from '../../src/policy/scope.ts';
import { analyse } from '../../src/sql/analyse.ts';

/** What a client of this scope would hear: the refusal's text, or `undefined` when the text may run. */
export function refusal(scope: Scope, text: string): string | undefined {
  return authorize(scope, analyse(text))?.message;
}

export const readonlyCannot = (verb: string): string =>
  `Permission denied: readonly scope cannot execute ${verb}`;
