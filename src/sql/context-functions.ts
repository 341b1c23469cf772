import type { FuncCall, Node, RangeFunction, RawStmt } from '@pgsql/types';
import { HatiError } from '../errors.ts';
import { nameParts, stringConstantOf } from './constants.ts';
import { similarityQuery, textSearchQuery } from './context-query.ts';
import { scan, type SourceToken } from './parse.ts';
import { Source, splice, type Splice } from './source.ts';

/**
 * `hatidata_context('table', 'words', k)` and `hatidata_rag_context('table', 'column', [0.1, 0.2], k)` in a FROM
 * clause become sub-selects. Text is replaced, not printed from the tree, so the rest of the statement stays as the
 * client wrote it; the result is parsed and judged like any other text.
 */

const textFunction = 'hatidata_context';
const vectorFunction = 'hatidata_rag_context';
const mostRows = 1000;

const form =
  `The forms are FROM ${textFunction}('table', 'words', k) and ` +
  `FROM ${vectorFunction}('table', 'column', [0.1, 0.2], k), with constants and k from 1 to ${mostRows}.`;

export function mayNameContextFunction(text: string): boolean {
  return /hatidata_(?:rag_)?context/i.test(text);
}

/** `[…]` right inside a call of `hatidata_rag_context` becomes `ARRAY[…]`, which PostgreSQL's grammar can read. */
export function listsAsArrays(text: string): string | undefined {
  const tokens = scan(text);
  const splices: Splice[] = [];
  for (const [index, token] of tokens.entries()) {
    if (token.text.toLowerCase() !== vectorFunction || tokens[index + 1]?.text !== '(') continue;
    const close = closingIndex(tokens, index + 1);
    const opening = tokens.slice(index + 2, close).find((inner, at, all) => {
      return inner.text === '[' && all[at - 1]?.text === ',';
    });
    if (opening) splices.push({ start: opening.start, end: opening.start, text: 'ARRAY' });
  }
  return splices.length > 0 ? splice(new Source(text), splices) : undefined;
}

/** The text with every call replaced, `undefined` when it holds none. */
export function expandContextFunctions(
  text: string,
  parsed: readonly RawStmt[],
): string | undefined {
  const ranges = rangeFunctions(parsed).filter((range) => contextCall(range) !== undefined);
  if (ranges.length === 0) return undefined;
  const tokens = scan(text);
  return splice(
    new Source(text),
    ranges.map((range) => expansion(range, tokens)),
  );
}

/** For a call that stands where no table can. */
export function misplacedContextFunction(
  names: readonly { readonly name: string }[],
): HatiError | undefined {
  const found = names.find(({ name }) => name === textFunction || name === vectorFunction);
  return found && invalid(`${found.name} is a table function and must stand in FROM`);
}

function expansion(range: RangeFunction, tokens: readonly SourceToken[]): Splice {
  const call = contextCall(range);
  if (!call) throw invalid(`${textFunction} cannot be read`);
  const name = nameParts(call.funcname).join('.');
  if (range.ordinality || range.is_rowsfrom || range.coldeflist) {
    throw invalid(`${name} cannot be used with ROWS FROM, ORDINALITY or a column definition list`);
  }
  const start = call.location ?? 0;
  const first = tokens.findIndex((token) => token.start === start);
  const last = tokens[closingIndex(tokens, first + 1)];
  if (first < 0 || last?.text !== ')') throw invalid(`${name} cannot be read`);
  const query = name === textFunction ? textQuery(call) : vectorQuery(call);
  return { start, end: last.end, text: range.alias ? query : `${query} AS ${name}` };
}

function textQuery(call: FuncCall): string {
  const [table, query, limit] = argumentsOf(call, 3);
  return textSearchQuery({
    table: text(table, call),
    query: text(query, call),
    limit: rows(limit, call),
  });
}

function vectorQuery(call: FuncCall): string {
  const [table, column, vector, limit] = argumentsOf(call, 4);
  const elements = vector && 'A_ArrayExpr' in vector ? (vector.A_ArrayExpr.elements ?? []) : [];
  const numbers = elements.map(numberOf);
  if (numbers.length === 0 || numbers.some((number) => !Number.isFinite(number))) {
    throw invalid(`${vectorFunction} needs a list of numbers as its third argument`);
  }
  return similarityQuery({
    table: text(table, call),
    column: text(column, call),
    vector: numbers,
    limit: rows(limit, call),
  });
}

function argumentsOf(call: FuncCall, count: number): readonly Node[] {
  const args = call.args ?? [];
  const plain =
    !call.agg_filter && !call.over && !call.agg_order && !call.func_variadic && !call.agg_distinct;
  if (args.length === count && plain) return args;
  throw invalid(`${nameParts(call.funcname).join('.')} takes ${count} arguments`);
}

function text(node: Node | undefined, call: FuncCall): string {
  const value = stringConstantOf(node);
  if (value !== undefined && value !== '') return value;
  throw invalid(
    `${nameParts(call.funcname).join('.')} takes string constants, not expressions or parameters`,
  );
}

function rows(node: Node | undefined, call: FuncCall): number {
  const value = node ? numberOf(node) : Number.NaN;
  if (Number.isInteger(value) && value >= 1 && value <= mostRows) return value;
  throw invalid(
    `${nameParts(call.funcname).join('.')} takes a number of rows from 1 to ${mostRows}`,
  );
}

function numberOf(node: Node): number {
  if (
    'A_Expr' in node &&
    node.A_Expr.rexpr &&
    !node.A_Expr.lexpr &&
    nameParts(node.A_Expr.name).join('') === '-'
  ) {
    return -numberOf(node.A_Expr.rexpr);
  }
  if (!('A_Const' in node)) return Number.NaN;
  const { ival, fval } = node.A_Const;
  if (ival) return ival.ival ?? 0;
  return fval ? Number(fval.fval) : Number.NaN;
}

function invalid(message: string): HatiError {
  return new HatiError('argument_invalid', { params: { message }, hint: form });
}

/** Index of the token that closes the bracket at `open`; past the end when none does. */
function closingIndex(tokens: readonly SourceToken[], open: number): number {
  let depth = 0;
  for (let index = open; index < tokens.length; index++) {
    const { text: token } = tokens[index] ?? { text: '' };
    if (token === '(' || token === '[') depth++;
    else if (token === ')' || token === ']') depth--;
    if (depth === 0) return index;
  }
  return tokens.length;
}

function contextCall(range: RangeFunction): FuncCall | undefined {
  const [pair] = range.functions ?? [];
  const node = pair && 'List' in pair ? pair.List.items?.[0] : undefined;
  if (!node || !('FuncCall' in node)) return undefined;
  const name = nameParts(node.FuncCall.funcname).join('.');
  return name === textFunction || name === vectorFunction ? node.FuncCall : undefined;
}

/** All RangeFunction nodes, at any depth. */
function rangeFunctions(parsed: readonly RawStmt[]): RangeFunction[] {
  const found: RangeFunction[] = [];
  const stack: unknown[] = [...parsed];
  while (stack.length > 0) {
    const value = stack.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (isRangeFunction(value)) found.push(value.RangeFunction);
    for (const child of Object.values(value)) stack.push(child);
  }
  return found;
}

function isRangeFunction(value: object): value is { RangeFunction: RangeFunction } {
  return 'RangeFunction' in value;
}
