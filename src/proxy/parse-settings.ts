import { anySetting } from '../policy/session-use.ts';
import { quoteLiteral } from '../sql/quote.ts';

/**
 * Settings that PostgreSQL reads when it parses a statement: by them it understands constants (`'02/01/2020'::date`), which a
 * prepared statement keeps.
 */
const read: ReadonlySet<string> = new Set([
  ...['datestyle', 'intervalstyle', 'timezone', 'timezone_abbreviations', 'lc_monetary'],
  ...['xmloption', 'array_nulls', 'transform_null_equals', 'backslash_quote'],
]);

/** By these it plans a prepared statement anew where they have changed. */
const followed: ReadonlySet<string> = new Set(['search_path', 'role', 'row_security']);

/** Constants that stand for the time at which the statement is parsed. */
const clock = /(?:'|\$\w*\$)[\s\d:.+-]*(?:now|today|tomorrow|yesterday)\b/i;

export function readsClockByParse(text: string): boolean {
  return clock.test(text);
}

export type Settings = ReadonlyMap<string, string>;

/** Whether constants of a statement may be understood otherwise while it is another; `*` stands for any. */
export function isReadByParse(name: string): boolean {
  return name === anySetting || read.has(name);
}

/** Whether names of a statement may mean something else while it is another. */
export function isFollowedByPlans(name: string): boolean {
  return name === anySetting || followed.has(name);
}

/** Settings are replaced and never changed, so each need be looked at once. */
const keys = new WeakMap<Settings, string>();

/** The same for settings under which a text means the same. */
export function parseKey(settings: Settings): string {
  let key = keys.get(settings);
  if (key === undefined) {
    const relevant = [...read, ...followed].filter((name) => settings.has(name));
    key = relevant.map((name) => `${name}=${JSON.stringify(settings.get(name))}`).join(' ');
    keys.set(settings, key);
  }
  return key;
}

/**
 * What has to be run before and behind the Parse of a statement so that it is understood as under the settings `wanted`, whatever
 * is in force: by SET LOCAL, so that it is right in every transaction, with values that are kept meanwhile in settings of ours.
 * @param present what is in force; undefined when that is not known.
 */
export function disguise(
  wanted: Settings,
  present: Settings | undefined,
): readonly [before: string, behind: string] | undefined {
  if (present !== undefined && parseKey(present) === parseKey(wanted)) return undefined;
  const names = [...read].filter((name) => present?.get(name) !== wanted.get(name) || !present);
  if (names.length === 0) return undefined;
  const kept = (name: string): string => `'hatidata.kept_${name}'`;
  const set = (name: string, value: string): string =>
    `pg_catalog.set_config(${name}, ${value}, true)`;
  const current = (name: string): string => `pg_catalog.current_setting(${name})`;
  return [
    effectOf(
      names.flatMap((name) => [
        set(kept(name), current(`'${name}'`)),
        set(`'${name}'`, valueOf(name, wanted)),
      ]),
    ),
    effectOf(names.map((name) => set(`'${name}'`, current(kept(name))))),
  ];
}

/** Runs the calls in their order and gives no row: concat is never null. */
function effectOf(calls: readonly string[]): string {
  return `SELECT WHERE pg_catalog.concat(${calls.join(', ')}) IS NULL`;
}

/** What the session began with, where it is not set. */
function valueOf(name: string, settings: Settings): string {
  const value = settings.get(name);
  if (value !== undefined) return quoteLiteral(value);
  return `(SELECT s.reset_val FROM pg_catalog.pg_settings AS s WHERE pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) '${name}')`;
}
