import { HatiError, type ErrorCode, type HatiErrorOptions } from '../errors.ts';

/** Why a rule says no; becomes the client's error once it is known where in the text it stands. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly params: Readonly<Record<string, string | number>>;
  readonly hint?: string;
}

export const adminHint = 'Connect with a key of the admin scope.';

export function refusalError({ code, params, hint }: Refusal, detail?: string): HatiError {
  const options: HatiErrorOptions = {
    params,
    ...(hint !== undefined && { hint }),
    ...(detail !== undefined && { detail }),
  };
  return new HatiError(code, options);
}
