import { anySetting } from '../policy/session-use.ts';
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts';

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

/** Commands that make a session with the settings `from` read constants as one with the settings `to` does. */
export function changesOfReading(from: Settings, to: Settings): readonly string[] {
  if (from === to || parseKey(from) === parseKey(to)) return [];
  return [...read]
    .filter((name) => from.get(name) !== to.get(name))
    .map((name) => {
      const value = to.get(name);
      return `SET ${quoteIdentifier(name)} TO ${value === undefined ? 'DEFAULT' : quoteLiteral(value)}`;
    });
}
