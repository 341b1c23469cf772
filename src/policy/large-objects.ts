import type { HatiError } from '../errors.ts';
import { isUnrestricted, nameOf, type Authority } from './authority.ts';
import { adminHint, refusalError } from './refusal.ts';

/**
 * The message FunctionCall names a function by its number, beside all that is judged by names. libpq (`lo_import` of psql,
 * pg_dump), psycopg2 and pgjdbc reach large objects by it, so an unrestricted key may call these, and nobody anything else.
 * Numbers of PostgreSQL's own functions stay the same from release to release (pg_proc.dat).
 */
export const interfaceFunctions: ReadonlyMap<number, string> = new Map([
  [715, 'lo_create'],
  [952, 'lo_open'],
  [953, 'lo_close'],
  [954, 'loread'],
  [955, 'lowrite'],
  [956, 'lo_lseek'],
  [957, 'lo_creat'],
  [958, 'lo_tell'],
  [964, 'lo_unlink'],
  [1004, 'lo_truncate'],
  [3170, 'lo_lseek64'],
  [3171, 'lo_tell64'],
  [3172, 'lo_truncate64'],
]);

export function authorizeFunctionCall(authority: Authority, oid: number): HatiError | undefined {
  const name = interfaceFunctions.get(oid);
  if (name === undefined)
    return refusalError({
      code: 'feature_not_supported',
      params: { feature: 'the FunctionCall message' },
      hint: 'Only the functions of large objects can be called by it. Call others in SQL.',
    });
  if (isUnrestricted(authority)) return undefined;
  return refusalError({
    code: 'function_not_allowed',
    params: { who: nameOf(authority), function: name },
    hint: `By the FunctionCall message it can be called with an unrestricted key only. ${adminHint}`,
  });
}
