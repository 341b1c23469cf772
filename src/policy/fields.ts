import { isUnrestricted, type Authority } from './authority.ts';
import { named, type Surroundings } from './catalogue.ts';
import { deniedFunctions } from './denied-functions.ts';
import { isCallable, isNeverCallableName, refusedFunction, tellsTooMuch } from './functions.ts';
import { adminHint, type Refusal } from './refusal.ts';
import { mayConvert } from './types.ts';

/**
 * `x.name` calls name(x) when x has no column of that name. Whether it has one is known to the engine only, so a name
 * passes unless it is that of a function which this key may not call, or of a type that it may not convert to.
 */
export function judgeField(
  authority: Authority,
  name: string,
  around: Surroundings,
): Refusal | undefined {
  if (isNeverCallableName(name))
    return { code: 'never_allowed', params: { verb: `function ${name}` } };
  if (isUnrestricted(authority)) return undefined;
  const { catalogue, searched } = around;
  const ref = { schema: undefined, name };
  const mayRun =
    deniedFunctions.has(name) ||
    tellsTooMuch(authority, name) ||
    !mayConvert(authority, ref, around) ||
    named(catalogue.functions, ref, searched).some(
      (each) => each.takesOne && !isCallable(authority, each),
    );
  if (!mayRun) return undefined;
  const hint =
    `x.${name} would call the function ${name} when x has no column of that name. ` +
    `If it is a column, select it without a prefix, or with x.*. ${adminHint}`;
  return refusedFunction(authority, name, hint);
}
