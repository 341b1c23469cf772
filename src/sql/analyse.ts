import type { RawStmt } from '@pgsql/types';
import { HatiError } from '../errors.ts';
import { classify } from './classify.ts';
import {
  expandContextFunctions,
  listsAsArrays,
  mayNameContextFunction,
  misplacedContextFunction,
} from './context-functions.ts';
import { parse } from './parse.ts';
import type { ClassifiedText, Statement } from './statement.ts';

/**
 * Text -> what is known of it, in one piece of CPU work; runs in this process or in a worker.
 * Throws `HatiError` for what the caller did wrong, `TooManyParts` for what is too large to be judged, and
 * `ParserBroken` when the parser must be thrown away.
 */
export function analyse(text: string): ClassifiedText {
  if (!mayNameContextFunction(text)) return classified(text, parse(text), undefined);
  const readable = readableText(text);
  const expanded = expandContextFunctions(readable.text, readable.parsed);
  if (expanded === undefined)
    return classified(
      readable.text,
      readable.parsed,
      readable.text === text ? undefined : readable.text,
    );
  // What is judged is what is sent: the new text starts from nothing.
  return classified(expanded, parse(expanded), expanded);
}

function readableText(text: string): { text: string; parsed: readonly RawStmt[] } {
  try {
    return { text, parsed: parse(text) };
  } catch (error) {
    const withArrays =
      error instanceof HatiError && error.code === 'syntax_error' ? listsAsArrays(text) : undefined;
    if (withArrays === undefined) throw error;
    return { text: withArrays, parsed: parse(withArrays) };
  }
}

function classified(
  text: string,
  parsed: readonly RawStmt[],
  rewritten: string | undefined,
): ClassifiedText {
  const statements = classify(text, parsed);
  const entries = statements.reduce((sum, statement) => sum + entriesOf(statement), 0);
  if (entries > mostEntries || statements.length > mostStatements) throw new TooManyParts();
  const misplaced = misplacedContextFunction(
    statements.flatMap((statement) => statement.functions),
  );
  if (misplaced) throw misplaced;
  const bytes = sizeOf(statements) + 2 * (rewritten?.length ?? 0);
  return { statements, rewritten, bytes, names: statements.some(namesAny), runs: 0 };
}

function namesAny({ prepared, executed, declared, fetched, deallocated }: Statement): boolean {
  const lists = [prepared, executed, declared, fetched, deallocated];
  return lists.some((list) => list.length > 0);
}

/** More than anybody writes by hand; what is beyond would hold up the event loop when it comes from a worker. */
const mostEntries = 50_000;
const mostStatements = 5_000;

export class TooManyParts extends Error {
  constructor() {
    super('it holds too many statements, or names too many relations and functions');
    this.name = 'TooManyParts';
  }
}

function entriesOf(statement: Statement): number {
  const { acts, relations, functions, operators, fieldNames, types, settings } = statement;
  const lists = [acts, relations, functions, operators, fieldNames, types, settings];
  return lists.reduce((sum, list) => sum + list.length, 0);
}

const statementOverhead = 600;
const entryOverhead = 120;

/** Rough memory: V8's strings at two bytes a character, its objects at a round figure. */
function sizeOf(statements: readonly Statement[]): number {
  let bytes = 200;
  for (const statement of statements) {
    const { text, functions, settings } = statement;
    bytes += statementOverhead + 2 * text.length + entryOverhead * entriesOf(statement);
    for (const call of functions)
      for (const value of call.constants) bytes += 2 * (value?.length ?? 0);
    for (const change of settings)
      for (const value of change.values ?? []) bytes += 2 * value.length;
  }
  return bytes;
}
