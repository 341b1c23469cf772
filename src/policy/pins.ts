import type { SessionEffect, SettingChange } from '../sql/statement.ts';
import { durationMs } from './setting-values.ts';

/** Why a session keeps its engine connection. */
export type PinReason = (typeof pinReasons)[number];
export const pinReasons = [
  'temporaryTable',
  'preparedStatement',
  'cursorWithHold',
  'listen',
  'advisoryLock',
  'code',
  'setting',
  'seed',
  'session',
] as const;

export interface Pin {
  readonly reason: PinReason;
  /** For people: what did it. */
  readonly detail: string;
}

const pinning: Readonly<Partial<Record<SessionEffect, PinReason>>> = {
  temporaryTable: 'temporaryTable',
  preparedStatement: 'preparedStatement',
  cursorWithHold: 'cursorWithHold',
  listen: 'listen',
  advisoryLock: 'advisoryLock',
  opaque: 'code',
};

/** Where the statement's verb would not say it. */
const spoken: Readonly<Partial<Record<PinReason, string>>> = {
  temporaryTable: 'a temporary table',
  advisoryLock: 'an advisory lock of the session',
  cursorWithHold: 'a cursor WITH HOLD',
};

export function pinOf(effect: SessionEffect, verb: string): readonly Pin[] {
  const reason = pinning[effect];
  return reason === undefined ? [] : [{ reason, detail: spoken[reason] ?? verb }];
}

/** With these our own exchanges with the engine would not come to an end, or the engine would end an idle connection. */
const restless: ReadonlySet<string> = new Set([
  ...['statement_timeout', 'transaction_timeout', 'idle_session_timeout'],
  'default_transaction_deferrable',
]);
const shortestTimeoutMs = 1_000;

/** Why sessions that begin with such a setting can't share. */
export function pinsOfStart(
  settings: readonly (readonly [name: string, value: string])[],
): readonly Pin[] {
  return settings.flatMap(([name, value]) =>
    name === 'search_path' && value.toLowerCase().includes('pg_temp')
      ? [{ reason: 'temporaryTable', detail: 'pg_temp in search_path' } as const]
      : pinOfSetting({ name, values: [value], operation: 'set', local: false, target: 'session' }),
  );
}

export function pinOfSetting({ name, values, operation }: SettingChange): readonly Pin[] {
  if (name === undefined) return [{ reason: 'setting', detail: 'a setting of a computed name' }];
  // There is no way to ask for it, or to take it back.
  if (name === 'seed') return [{ reason: 'seed', detail: 'SET seed' }];
  if (!restless.has(name) || operation !== 'set' || values?.length === 0) return [];
  const ms = values?.[0] === undefined ? undefined : durationMs(values[0]);
  const isCalm =
    name.endsWith('_timeout') && ms !== undefined && (ms === 0 || ms >= shortestTimeoutMs);
  return isCalm ? [] : [{ reason: 'setting', detail: name }];
}
