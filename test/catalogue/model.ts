/**
 * The shape of the bypass catalogue's tables: a row is one way round a proxy that reads SQL, its cases are what we send.
 *
 * A case says what the client must see. Everything else that must hold (one ReadyForQuery, a session that goes on, a
 * database that is as it was) is not written in the rows, because it holds for all of them: `run-rows.ts`.
 */
import type { World } from './world.ts';

export interface Row {
  /** As in the catalogue: A01 … */
  readonly id: string;
  readonly title: string;
  readonly cases: readonly Case[];
}

export type Case = TextCase | RowsCase | ExchangeCase | ScriptCase;

type Text = string | ((world: World) => string);
export type Who = 'readonly' | 'admin';

interface Common {
  /** Whose key; readonly where nothing is said. */
  readonly as?: Who;
  /** Majors of PostgreSQL for which the case makes sense: all where nothing is said. */
  readonly from?: number;
  readonly until?: number;
  /** Where the text is no name. */
  readonly name?: string;
}

/** A text that must be refused, by the simple and by the extended protocol, outside and inside of a transaction. */
export interface TextCase extends Common {
  readonly text: Text;
  /** `SQLSTATE message`. */
  readonly refused: string | RegExp;
  /** Passed on, and refused by the engine: in the extended protocol by whichever message of the batch it may be. */
  readonly by?: 'engine';
}

/** A text that must run, with these rows. */
export interface RowsCase extends Common {
  readonly text: Text;
  /**
   * Rows as `a|b`; `same`: whatever PostgreSQL answers to the same role without us, and at least one; `any`: rows differ
   * from run to run; `none`: the text is not a query or finds nothing.
   */
  readonly rows: readonly string[] | 'same' | 'any' | 'none';
  /** More than one statement: by the simple protocol only. */
  readonly simpleOnly?: true;
}

/** Messages by hand on a session of their own, and all that comes back, as `show` prints it. */
export interface ExchangeCase extends Common {
  readonly name: string;
  readonly send: readonly Buffer[] | ((world: World) => readonly Buffer[]);
  /** Ends with as many `Z …` as there must be, or with `closed`. */
  readonly sees: readonly (string | RegExp)[];
}

/** What no single exchange can show. */
export interface ScriptCase extends Common {
  readonly name: string;
  /** What the case itself changes beside what it tests, by its name in the digest. */
  readonly changes?: readonly string[];
  readonly run: (world: World) => Promise<void>;
}

/** A row of the catalogue, or a part of one, that needs a capability that the product does not have. */
export interface NotYet {
  readonly id: string;
  readonly what: string;
  readonly because: string;
}

// What a client is told, word for word. Written out here and not taken from the registry: a change of a sentence that
// clients know must be seen.

/** The sentence of the contract. */
export const cannot = (verb: string): string =>
  `42501 Permission denied: readonly scope cannot execute ${verb}`;
export const cannotCall = (name: string): string =>
  `42501 Permission denied: readonly scope cannot call function ${name}`;
export const cannotConvert = (type: string): string =>
  `42501 Permission denied: readonly scope cannot convert to type ${type}`;
export const cannotRead = (relation: string): string =>
  `42501 Permission denied: readonly scope cannot read ${relation}`;
export const cannotSet = (setting: string): string =>
  `42501 Permission denied: setting ${setting} cannot be changed through HatiData`;
export const cannotSetTo = (setting: string, value: string): string =>
  `42501 Permission denied: setting ${setting} cannot be set to ${value}`;
export const never = (verb: string): string =>
  `42501 Permission denied: ${verb} is not available through HatiData`;
export const onlyUtf8 = (value: string): string =>
  `0A000 client_encoding must be UTF8, not ${value}`;

/** The same refusal for a list of texts. */
export const all = (refused: string | RegExp, ...texts: readonly string[]): TextCase[] =>
  texts.map((text) => ({ text, refused }));

/** Texts that PostgreSQL must answer as it does without us. */
export const same = (...texts: readonly string[]): RowsCase[] =>
  texts.map((text) => ({ text, rows: 'same' }));

/** Calls that are refused to readonly keys, named by what they call. */
export const calls = (...expressions: readonly string[]): TextCase[] =>
  expressions.map((call) => ({
    text: `SELECT ${call}`,
    refused: cannotCall(call.slice(0, call.indexOf('('))),
  }));

/** Calls that no key may make. */
export const neverCalls = (...expressions: readonly string[]): TextCase[] =>
  expressions.flatMap((call) =>
    (['readonly', 'admin'] as const).map((as: Who) => ({
      text: `SELECT ${call}`,
      as,
      refused: never(`function ${call.slice(0, call.indexOf('('))}`),
    })),
  );

/** System relations that are refused by name. */
export const relations = (...names: readonly string[]): TextCase[] =>
  names.map((name) => ({ text: `SELECT * FROM ${name}`, refused: cannotRead(name) }));

/** The engine's own privileges stand before these as well; which of both says no is not told by the row. */
export const closed = (...texts: readonly string[]): TextCase[] =>
  all(/^42501 /, ...texts).map((each) => ({ ...each, by: 'engine' }));
