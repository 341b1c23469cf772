/**
 * A statement as the scanner's tokens, and the subtrees of its parse tree as ranges of them. Nothing here prints a tree: a
 * subtree is taken and put in as the tokens that it was written with.
 */
import { parse, scan } from '../../src/sql/parse.ts';

export type Tokens = readonly string[];

export type SiteKind =
  | 'expression'
  /** A name where a relation stands, without its alias. */
  | 'relation'
  /** `( SELECT … )` with its brackets, and VALUES, WITH, TABLE likewise. */
  | 'subselect';

/** A range of tokens, `end` left out. */
export interface Site {
  readonly kind: SiteKind;
  readonly start: number;
  readonly end: number;
}

export interface Cut {
  readonly tokens: Tokens;
  readonly sites: readonly Site[];
}

export function textOf(tokens: Tokens): string {
  return tokens.join(' ');
}

/** Undefined for what the grammar does not read. */
export function cut(text: string): Cut | undefined {
  try {
    const scanned = scan(text);
    const indexAt = new Map(scanned.map(({ start }, index) => [start, index]));
    const tokens = scanned.map((token) => token.text);
    const located = locations(parse(text)).flatMap(([kind, location]): Site[] => {
      const start = indexAt.get(location);
      return start === undefined ? [] : [{ kind, start, end: endOf(tokens, start) }];
    });
    return { tokens, sites: [...located, ...subselects(tokens)] };
  } catch {
    return undefined;
  }
}

const expressions: ReadonlySet<string> = new Set(['A_Const', 'ColumnRef', 'FuncCall']);

/** Where the nodes of the tree begin, as far as they say it: bytes from the beginning. */
function locations(tree: unknown): readonly (readonly [SiteKind, number])[] {
  const found: (readonly [SiteKind, number])[] = [];
  const stack: unknown[] = [tree];
  while (stack.length > 0) {
    const value = stack.pop();
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, child] of Object.entries(value)) {
      const location = locationOf(child);
      if (location !== undefined && expressions.has(name)) found.push(['expression', location]);
      if (location !== undefined && name === 'RangeVar') found.push(['relation', location]);
      stack.push(child);
    }
  }
  return found;
}

function locationOf(node: unknown): number | undefined {
  if (typeof node !== 'object' || node === null) return undefined;
  const { location = 0 } = node as { location?: unknown };
  return typeof location === 'number' ? location : undefined;
}

/** A constant is one token; a name goes on over its dots, and over its brackets when it is called. */
function endOf(tokens: Tokens, start: number): number {
  let end = start + 1;
  if (!isName(tokens[start])) return end;
  while (tokens[end] === '.' && end + 1 < tokens.length) end += 2;
  return tokens[end] === '(' ? closing(tokens, end) + 1 : end;
}

function subselects(tokens: Tokens): readonly Site[] {
  return tokens.flatMap((token, start): Site[] => {
    const isOpen = token === '(' && /^(select|with|values|table)$/i.test(tokens[start + 1] ?? '');
    return isOpen ? [{ kind: 'subselect', start, end: closing(tokens, start) + 1 }] : [];
  });
}

/** Index of the bracket that closes the one at `open`; the last token when none does. */
export function closing(tokens: Tokens, open: number): number {
  let depth = 0;
  for (let index = open; index < tokens.length; index += 1) {
    if (tokens[index] === '(') depth += 1;
    else if (tokens[index] === ')') depth -= 1;
    if (depth === 0) return index;
  }
  return tokens.length - 1;
}

function isName(token: string | undefined): boolean {
  return token !== undefined && /^(?:[A-Za-z_\u0080-\uffff]|"|[uU]&")/.test(token);
}

export function replaced(
  tokens: Tokens,
  { start, end }: Pick<Site, 'start' | 'end'>,
  by: Tokens,
): Tokens {
  return [...tokens.slice(0, start), ...by, ...tokens.slice(end)];
}
