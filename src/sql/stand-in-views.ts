import type { Node, RangeVar, SelectStmt } from '@pgsql/types';
import { constantOf, hasOnly, nameParts } from './constants.ts';
import { quoteLiteral } from './quote.ts';
import { readablePattern } from './readable-settings.ts';

/** Catalogues with a column of options that may hold passwords, and the columns that may be read. */
const masked: Readonly<Record<string, readonly string[]>> = {
  pg_foreign_server: [
    ...['tableoid', 'oid', 'srvname', 'srvowner', 'srvfdw', 'srvtype', 'srvversion', 'srvacl'],
  ],
  pg_foreign_data_wrapper: [
    ...['tableoid', 'oid', 'fdwname', 'fdwowner', 'fdwhandler', 'fdwvalidator', 'fdwacl'],
  ],
  pg_user_mappings: ['umid', 'srvid', 'srvname', 'umuser', 'usename'],
  // Those that all versions have.
  pg_subscription: [
    ...['oid', 'subdbid', 'subname', 'subowner', 'subenabled', 'subbinary'],
    ...['substream', 'subslotname', 'subsynccommit', 'subpublications'],
  ],
};

const options: Readonly<Record<string, string>> = {
  pg_foreign_server: 'NULL::pg_catalog.text[] AS srvoptions',
  pg_foreign_data_wrapper: 'NULL::pg_catalog.text[] AS fdwoptions',
  pg_user_mappings: 'NULL::pg_catalog.text[] AS umoptions',
  pg_subscription: 'NULL::pg_catalog.text AS subconninfo',
};

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
  // What is between the client and the proxy, the engine does not know; what is behind it, is none of the client's.
  [
    'pg_stat_ssl',
    'SELECT pg_catalog.pg_backend_pid() AS pid, NULL::pg_catalog.bool AS ssl, NULL::pg_catalog.text AS version,' +
      ' NULL::pg_catalog.text AS cipher, NULL::pg_catalog.int4 AS bits, NULL::pg_catalog.text AS client_dn,' +
      ' NULL::pg_catalog.numeric AS client_serial, NULL::pg_catalog.text AS issuer_dn',
  ],
  ...Object.entries(masked).map(([name, columns]): [string, string] => [
    name,
    `SELECT ${columns.join(', ')}, ${options[name]} FROM pg_catalog.${name}`,
  ]),
]);

/**
 * The relation of a SELECT that reads such a catalogue and names columns alone, none of them with options: what the
 * stand-in looks like.
 */
export function maskedReading(select: SelectStmt): RangeVar | undefined {
  const [from, ...more] = select.fromClause ?? [];
  if (!from || !('RangeVar' in from) || more.length > 0) return undefined;
  if (!hasOnly(select, ['targetList', 'fromClause', 'limitOption', 'op'])) return undefined;
  const open = columnsOf(from.RangeVar);
  if (open === undefined || from.RangeVar.alias) return undefined;
  const isOpen = (target: Node): boolean => {
    const value = 'ResTarget' in target ? target.ResTarget.val : undefined;
    if (value && 'TypeCast' in value) return constantOf(value.TypeCast.arg) === null;
    const path = value && 'ColumnRef' in value ? nameParts(value.ColumnRef.fields) : [];
    return path.length === 1 && open.includes(path[0]!);
  };
  return select.targetList?.every(isOpen) ? from.RangeVar : undefined;
}

/** Undefined for relations that have no options. */
export function columnsOf({ schemaname, relname = '' }: RangeVar): readonly string[] | undefined {
  if (schemaname !== undefined && schemaname !== 'pg_catalog') return undefined;
  return Object.hasOwn(masked, relname) ? masked[relname] : undefined;
}

/** Where a statement reads such a view, in a form that a sub-select can replace. */
export interface ViewPlace {
  readonly kind: 'view';
  readonly name: string;
  /** Byte offset in the text. */
  readonly location: number;
  readonly hasAlias: boolean;
}

export function viewPlaceOf(range: RangeVar): ViewPlace | undefined {
  const { schemaname = 'pg_catalog', relname = '', inh, alias, location } = range;
  if (schemaname !== 'pg_catalog' || !standIns.has(relname)) return undefined;
  if (inh !== true || location === undefined) return undefined;
  return { kind: 'view', name: relname, location, hasAlias: alias !== undefined };
}

const spelling = /^(?:(?:pg_catalog|"pg_catalog")\s*\.\s*)?(?:[a-z_]+|"[a-z_]+")/i;

/** What is written there, and what takes its place. */
export function viewInPlace(
  { name, hasAlias }: ViewPlace,
  written: string,
): { readonly spelt: string; readonly instead: string } | undefined {
  const spelt = spelling.exec(written)?.[0];
  if (spelt === undefined || !spelt.toLowerCase().includes(name)) return undefined;
  return { spelt, instead: `(${standIns.get(name)!})${hasAlias ? '' : ` AS ${name}`}` };
}
