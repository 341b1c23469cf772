import { deniedFunctions } from './denied-functions.ts';
import { isNeverCallableName } from './functions.ts';
import { adminHint, type Refusal } from './refusal.ts';
import type { Scope } from './scope.ts';
import type { UserObjects } from './user-objects.ts';

/**
 * `x.name` calls name(x) when x has no column of that name. Whether it has one is known to the engine only, so a name
 * passes unless it is that of a function which this key may not call, or of a type that it may not convert to.
 */
export function judgeField(scope: Scope, name: string, objects: UserObjects): Refusal | undefined {
  if (isNeverCallableName(name))
    return { code: 'never_allowed', params: { verb: `function ${name}` } };
  if (scope === 'admin') return undefined;
  const mayRun =
    deniedFunctions.has(name) || objects.functions.has(name) || objects.types.has(name);
  if (!mayRun) return undefined;
  const hint =
    `x.${name} would call the function ${name} when x has no column of that name. ` +
    `If it is a column, select it without a prefix, or with x.*. ${adminHint}`;
  return { code: 'function_not_allowed', params: { function: name }, hint };
}
