import { HatiError } from '../errors.ts';

/** @returns the error of ours that it throws, if it does; another error goes on. */
export function refusalOf(act: () => void): HatiError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof HatiError) return error;
    throw error;
  }
}
