import type { EngineStatement } from './engine-statement.ts';

/** What one connection keeps prepared at the most. */
const mostStatements = 500;
const mostBytes = 4 * 1024 * 1024;
const mostUnsure = 50;

/**
 * Which statements a connection has prepared, by our own names. An error may discard a Parse that is on its way, so one
 * that is not confirmed can be counted on until the next Sync and no longer.
 */
export class LinkStatements {
  /** In the order of their last use. */
  private readonly known = new Map<EngineStatement, 'sent' | 'confirmed'>();
  private readonly unsure = new Set<EngineStatement>();
  private bytes = 0;
  /** What they give here, as far as was asked since they were prepared. */
  readonly shapes = new WeakMap<EngineStatement, string>();
  /** What the unnamed statement is; undefined when that is not known. */
  unnamed: object | undefined;

  /** `unsure`: it may be there, or not, until the engine has said so. */
  state(
    statement: EngineStatement,
    sentInBatch: Pick<ReadonlySet<EngineStatement>, 'has'>,
  ): LinkState {
    if (this.unsure.has(statement)) return 'unsure';
    const known = this.known.get(statement);
    if (known === undefined) return 'absent';
    if (known === 'confirmed') {
      if (this.known.size > 1) this.touch(statement, known);
      return 'present';
    }
    return sentInBatch.has(statement) ? 'present' : 'unsure';
  }

  /** Those that are known to be there. */
  get count(): number {
    return this.known.size;
  }

  /** So much is unsure that the connection is not worth keeping. */
  get areWorn(): boolean {
    return this.unsure.size > mostUnsure;
  }

  /** A Parse of it is on its way. @returns those that have to be closed for it. */
  sent(statement: EngineStatement): readonly EngineStatement[] {
    this.unsure.delete(statement);
    this.shapes.delete(statement);
    if (!this.known.has(statement)) this.bytes += statement.bytes;
    this.touch(statement, 'sent');
    const evicted: EngineStatement[] = [];
    for (const [oldest, state] of this.known) {
      if (this.known.size <= mostStatements && this.bytes <= mostBytes) break;
      if (oldest === statement || state !== 'confirmed') continue;
      this.forget(oldest);
      evicted.push(oldest);
    }
    return evicted;
  }

  /** What became of the Parse. */
  parsed(statement: EngineStatement, done: boolean, isDiscarded: boolean): void {
    if (!done) {
      this.forget(statement);
      // What was there before its Close is there still.
      if (isDiscarded) this.unsure.add(statement);
    } else if (this.known.has(statement)) this.known.set(statement, 'confirmed');
  }

  /** A Close of one that had to make room was discarded. */
  notClosed(statement: EngineStatement): void {
    this.unsure.add(statement);
  }

  /** Something may have ended them, or not. */
  doubt(): void {
    for (const statement of this.known.keys()) this.unsure.add(statement);
    this.known.clear();
    this.bytes = 0;
    this.unnamed = undefined;
  }

  /** The engine has let go of all. */
  clear(): void {
    this.known.clear();
    this.unsure.clear();
    this.bytes = 0;
    this.unnamed = undefined;
  }

  private touch(statement: EngineStatement, state: 'sent' | 'confirmed'): void {
    this.known.delete(statement);
    this.known.set(statement, state);
  }

  private forget(statement: EngineStatement): void {
    if (this.known.delete(statement)) this.bytes -= statement.bytes;
  }
}

export type LinkState = 'absent' | 'unsure' | 'present';
