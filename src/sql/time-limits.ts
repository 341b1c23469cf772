import type { VariableSetStmt } from '@pgsql/types';
import type { SettingChange } from './statement.ts';

/** Limits where 0 means none, and the most that a restricted key may have. */
export const timeLimits = {
  statement_timeout: '1h',
  transaction_timeout: '1h',
  idle_in_transaction_session_timeout: '1h',
  idle_session_timeout: '24h',
} as const satisfies Readonly<Record<string, string>>;

type LimitName = keyof typeof timeLimits;

/**
 * What 0 becomes: the most, for those that a readonly session begins with (`engine-session.ts`); for the others, what the
 * session began with, which is none unless the engine's operator set one.
 */
const instead: Readonly<Record<LimitName, string>> = {
  statement_timeout: `'${timeLimits.statement_timeout}'`,
  idle_in_transaction_session_timeout: `'${timeLimits.idle_in_transaction_session_timeout}'`,
  transaction_timeout: 'DEFAULT',
  idle_session_timeout: 'DEFAULT',
};

/** Where `SET statement_timeout = 0` has its 0, in a form that can be replaced. */
export interface NoLimit {
  readonly kind: 'noLimit';
  readonly name: LimitName;
  /** Byte offset in the text. */
  readonly location: number;
}

/** As PostgreSQL reads it for these settings; what is less than a millisecond and not plainly zero is not meant. */
const zero = /^\s*0+(?:\.0*)?\s*(?:us|ms|s|min|h|d)?\s*$/;

export function noLimitOf(
  { args, location }: VariableSetStmt,
  { name = '', operation, values }: SettingChange,
): NoLimit | undefined {
  if (operation !== 'set' || !isLimit(name) || args?.length !== 1 || location === undefined)
    return undefined;
  const [value, ...more] = values ?? [];
  const isNone = value !== undefined && more.length === 0 && zero.test(value);
  return isNone ? { kind: 'noLimit', name, location } : undefined;
}

function isLimit(name: string): name is LimitName {
  return Object.hasOwn(timeLimits, name);
}

const spelling = /^(?:[0-9.]+|'[0-9. a-z]*')/;

/** What is written there, and what takes its place. */
export function limitInPlace(
  { name }: NoLimit,
  written: string,
): { readonly spelt: string; readonly instead: string } | undefined {
  const spelt = spelling.exec(written)?.[0];
  return spelt === undefined ? undefined : { spelt, instead: instead[name] };
}
