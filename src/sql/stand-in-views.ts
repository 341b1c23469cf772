import type { RangeVar } from '@pgsql/types';
import { quoteLiteral } from './quote.ts';
import { readablePattern } from './readable-settings.ts';

/**
 * System views of which a restricted key may see a part: tools read them as a matter of course, and go on when they find
 * only that part. Where such a key's statement reads one, a sub-select takes its place.
 */
const standIns: ReadonlyMap<string, string> = new Map([
  [
    'pg_settings',
    `SELECT * FROM pg_catalog.pg_settings WHERE name OPERATOR(pg_catalog.~) ${quoteLiteral(readablePattern)}`,
  ],
  // One row, for the own session: we never speak GSSAPI to an engine.
  [
    'pg_stat_gssapi',
    'SELECT pg_catalog.pg_backend_pid() AS pid, false AS gss_authenticated, NULL::pg_catalog.text AS principal,' +
      ' false AS encrypted, false AS credentials_delegated',
  ],
]);

/** Where a statement reads such a view, in a form that a sub-select can replace. */
export interface StandIn {
  readonly name: string;
  /** Byte offset in the text. */
  readonly location: number;
  readonly hasAlias: boolean;
}

export function standInOf(range: RangeVar): StandIn | undefined {
  const { schemaname = 'pg_catalog', relname = '', inh, alias, location } = range;
  if (schemaname !== 'pg_catalog' || !standIns.has(relname)) return undefined;
  if (inh !== true || location === undefined) return undefined;
  return { name: relname, location, hasAlias: alias !== undefined };
}

const spelling = /^(?:(?:pg_catalog|"pg_catalog")\s*\.\s*)?(?:[a-z_]+|"[a-z_]+")/i;

/** @returns the text with sub-selects in place of the views; undefined when one of them is spelt in an unexpected way. */
export function withStandIns(text: Buffer, places: readonly StandIn[]): string | undefined {
  let result = text;
  for (const { name, location, hasAlias } of places.toSorted((a, b) => b.location - a.location)) {
    const spelt = spelling.exec(result.subarray(location, location + 200).toString('latin1'))?.[0];
    if (spelt === undefined || !spelt.toLowerCase().includes(name)) return undefined;
    const replacement = `(${standIns.get(name)!})${hasAlias ? '' : ` AS ${name}`}`;
    result = Buffer.concat([
      result.subarray(0, location),
      Buffer.from(replacement),
      result.subarray(location + spelt.length),
    ]);
  }
  return result.toString('utf8');
}
