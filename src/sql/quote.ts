/** Names and strings as SQL text that means exactly them, whatever they hold. */

export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Right with standard_conforming_strings on or off: a text with a backslash becomes an E-string. */
export function quoteLiteral(value: string): string {
  const quoted = `'${value.replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
  return value.includes('\\') ? ` E${quoted}` : quoted;
}

const part = String.raw`(?:[A-Za-z_\u0080-\u{10FFFF}][\w$\u0080-\u{10FFFF}]*|"(?:[^"]|"")+")`;
const path = new RegExp(`^(${part})(?:\\.(${part}))?$`, 'u');

/**
 * A table named in a string, quoted: `products`, `sales.orders` and `"My Table"` are read as SQL reads them; what is
 * no such name (`my table`) is taken as one name, letter by letter.
 */
export function quoteRelationPath(spelt: string): string {
  return (parsePath(spelt) ?? [spelt]).map(quoteIdentifier).join('.');
}

/** The one or two names of a path as SQL reads it; undefined for what is none. */
export function parsePath(spelt: string): readonly string[] | undefined {
  const match = path.exec(spelt);
  return match ? [match[1], match[2]].filter((name) => name !== undefined).map(fold) : undefined;
}

/**
 * The names of a `search_path` value, as PostgreSQL reads the list (SplitIdentifierString): its own white space, ASCII
 * letters folded, quotes taken off, cut to the longest name.
 */
export function parsePathList(value: string): readonly string[] {
  const items = value.match(/"(?:[^"]|"")*"|[^, \t\n\r\f\v"][^, \t\n\r\f\v]*/g) ?? [];
  return items.map((item) => truncateName(fold(item)));
}

/** NAMEDATALEN - 1. */
const longestName = 63;

/** As many whole characters as fit in the longest name that PostgreSQL keeps. */
export function truncateName(name: string): string {
  if (Buffer.byteLength(name) <= longestName) return name;
  let kept = '';
  let bytes = 0;
  for (const character of name) {
    bytes += Buffer.byteLength(character);
    if (bytes > longestName) break;
    kept += character;
  }
  return kept;
}

/** A path as people write it: quotes only where SQL would read another name without. */
export function spelledPath(names: readonly string[]): string {
  return names
    .map((name) => (/^[a-z_][a-z0-9_$]*$/.test(name) ? name : quoteIdentifier(name)))
    .join('.');
}

function fold(name: string): string {
  if (name.startsWith('"')) return name.slice(1, -1).replaceAll('""', '"');
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
