/** An answer that the engine owes: to which message of a client, or of ours. */
export type Expected =
  | Kind
  /** The same, for who wants to know what became of it. */
  | Noted
  /** Our stand-in for a refused message or Query: its ErrorResponse is replaced by this one. */
  | Refusal;

export type Kind = 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'query';

export interface Noted {
  readonly of: Kind;
  /** Called once, with whether the engine did it; if not, whether it failed or was never looked at. */
  readonly settle?: (done: boolean, more: Outcome) => void;
  /** What the client gets in place of the answer; nothing for a message of our own. It may not have rows. */
  readonly shows?: Buffer;
  /** A message of our own with a Sync of its own: its error is not the client's either. */
  readonly isApart?: boolean;
}

export interface Outcome {
  /** It was never looked at, because of an error before it. */
  readonly isDiscarded: boolean;
  /** What the engine says has run: of a Query the statements that did, of an Execute the one, unless rows are left. */
  readonly tags: readonly string[];
  /** The body of the RowDescription or NoData that answers a Describe. */
  readonly description?: Buffer | undefined;
}

export interface Refusal {
  readonly of: 'message' | 'query';
  readonly response: Buffer;
  readonly settle?: Noted['settle'] | undefined;
}

/** In place of a message that is not the client's. */
export const nothing = Buffer.alloc(0);

export function kindOf(expected: Expected): Kind | Refusal['of'] {
  return typeof expected === 'object' ? expected.of : expected;
}

export function isQuery(expected: Expected): boolean {
  return kindOf(expected) === 'query';
}

export function responseOf(expected: Expected): Buffer | undefined {
  return typeof expected === 'object' && 'response' in expected ? expected.response : undefined;
}

export function settle(expected: Expected, done: boolean, more: Outcome): void {
  if (typeof expected === 'object' && 'settle' in expected) expected.settle?.(done, more);
}

export function showsOf(expected: Expected): Buffer | undefined {
  return typeof expected === 'object' && 'shows' in expected ? expected.shows : undefined;
}

/** The completions of these are not among what the scanner always keeps whole. */
export function needsBodies(expected: Expected): boolean {
  if (typeof expected !== 'object' || 'response' in expected) return false;
  const { of, shows, settle: wantsTags } = expected;
  if (of === 'execute' || of === 'query') return (shows ?? wantsTags) !== undefined;
  return of === 'describe' || (of === 'bind' && shows !== undefined);
}

export function isApart(expected: Expected): boolean {
  return typeof expected === 'object' && 'isApart' in expected && (expected.isApart ?? false);
}
