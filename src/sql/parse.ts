import type { RawStmt } from '@pgsql/types';
import { HatiError } from '../errors.ts';
import { hasSqlDetails, loadModule, parseSync, scanSync } from './parser-library.ts';

/**
 * PostgreSQL's own parser, compiled to WebAssembly.
 *
 * A parser instance can break: a stack overflow inside of it (RangeError, RuntimeError) leaves its own stack pointer
 * where it was, and after some forty of those every later parse fails or never returns. So each such error is a
 * `ParserBroken`, and whoever holds the instance must never use it again.
 */
export class ParserBroken extends Error {
  constructor(cause: unknown) {
    super('the parser instance can no longer be trusted', { cause });
    this.name = 'ParserBroken';
  }
}

/** Loads the WebAssembly module; to be awaited before anything is parsed. */
export async function loadParser(): Promise<void> {
  await loadModule();
  parseSync('SELECT 1');
}

/** The statements of a text. Throws `HatiError` for what PostgreSQL's grammar refuses. */
export function parse(text: string): readonly RawStmt[] {
  // The library refuses the empty string; PostgreSQL answers it with EmptyQueryResponse.
  if (text === '') return [];
  try {
    return parseSync(text).stmts ?? [];
  } catch (error) {
    if (!hasSqlDetails(error)) throw new ParserBroken(error);
    throw refusalOf(error.sqlDetails);
  }
}

export interface SourceToken {
  /** Bytes from the beginning of the text. */
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** The tokens of a text that need not be grammatical; none when not even a scanner can read it. */
export function scan(text: string): readonly SourceToken[] {
  try {
    return scanSync(text).tokens.filter((token) => !token.tokenName.endsWith('COMMENT'));
  } catch (error) {
    // The library hands the scanner's complaints to JSON.parse. RangeError and RuntimeError are the instance's end.
    const isComplaint =
      error instanceof SyntaxError || (error instanceof Error && error.name === 'Error');
    if (!isComplaint) throw new ParserBroken(error);
    return [];
  }
}

interface ParserMessage {
  readonly message: string;
  /** Characters, from 0. */
  readonly cursorPosition: number;
  readonly functionName?: string;
}

function refusalOf(details: ParserMessage | undefined): HatiError {
  const message = details?.message ?? 'syntax error';
  // The library says 0 both for the first character and for "no position"; only the grammar itself always has one.
  const at = details?.cursorPosition ?? 0;
  const position = at > 0 || details?.functionName === 'scanner_yyerror' ? at + 1 : undefined;
  return new HatiError('syntax_error', {
    params: { message },
    ...(position !== undefined && { position }),
  });
}
