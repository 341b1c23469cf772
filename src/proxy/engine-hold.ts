import { randomInt } from 'node:crypto';
import type { EngineLink, Receiver } from '../engine/pool/link.ts';
import { reasonOf } from '../engine/pool/link.ts';
import type { EnginePool, LinkRequest } from '../engine/pool/pool.ts';
import { HatiError } from '../errors.ts';
import { leavesNothing, worse, type Leaving, type SessionUse } from '../policy/session-use.ts';
import { quoteIdentifier, quoteLiteral } from '../sql/quote.ts';
import { query } from '../wire/frontend-messages.ts';
import { longestValue, type SessionState } from './session-state.ts';

export interface EngineHoldParts {
  readonly pool: Pick<EnginePool, 'take' | 'give'>;
  readonly request: LinkRequest;
  readonly state: SessionState;
  readonly receiver: Receiver;
  /** What would keep a connection is refused. */
  readonly refusesPins: boolean;
  /** No message has come in part. */
  isWhole(): boolean;
  /** A transaction with definitions is over. */
  onDefined(): void;
  /** A connection has come to the session; nothing was written to it yet. */
  onAttached(link: EngineLink): void;
  /** What the client has set can't be set on any other connection: the session can't go on as it was. */
  onUnrestorable(error: HatiError): void;
}

/** Another connection is tried where one breaks before the client's first message is on it. */
const mostAttempts = 3;

/** Undoes whatever code inside a statement may have done to a session; by itself, as PostgreSQL wants it. */
const cleaning = query('DISCARD ALL');

/**
 * The engine's side of a session: none, or a connection of the pool.
 *
 * - none: the client is between two transactions, and nothing ties it to a connection;
 * - taking: it waits for one, or one is brought into the session's state;
 * - held: statements run;
 * - reading: all is answered, and the engine is asked for values of settings that a statement changed;
 * - sharing: a statement is made ready for a fast lane (`lane/fast-lane.ts`); while it rides there is none again.
 *
 * A connection goes back at rest: when the engine owes nothing, is not in a transaction, and no pin holds it.
 */
export class EngineHold {
  /** The connection that is there, whatever happens on it. */
  current: EngineLink | undefined;
  private readonly parts: EngineHoldParts;
  private shared: EngineLink | undefined;
  /** While one is being taken or asked. */
  private change: Promise<void> | undefined;

  constructor(parts: EngineHoldParts) {
    this.parts = parts;
  }

  /** The connection for the client's messages. */
  get link(): EngineLink | undefined {
    return this.shared ?? (this.change === undefined ? this.current : undefined);
  }

  /** Resolves when there is a connection, which is at once where it returns undefined. Rejects with what is in the way. */
  ready(): Promise<void> | undefined {
    if (this.shared !== undefined) return undefined;
    if (this.change !== undefined) return this.change.then(() => this.ready());
    return this.current === undefined ? this.take() : undefined;
  }

  /** What is sent from here on goes to a connection that others use as well. */
  share(link: EngineLink): void {
    this.shared = link;
    this.parts.onAttached(link);
  }

  unshare(): void {
    this.shared = undefined;
  }

  /** The session has no connection, and none is on its way. */
  get isNone(): boolean {
    return this.link === undefined && this.change === undefined;
  }

  get isSharing(): boolean {
    return this.shared !== undefined;
  }

  /** The text is about to run. */
  running(use: SessionUse): void {
    if (leavesNothing(use)) return;
    this.parts.state.running(use);
    const { current } = this;
    if (current === undefined) return;
    current.left = worse(current.left, use.leaves);
    // Nothing takes that back.
    if (use.pins.some(({ reason }) => reason === 'seed')) current.isRetired = true;
  }

  /**
   * Nothing will take back that one statement has run.
   * @param tag what the engine says that it was. Names of portals and statements may deceive us about that.
   */
  done(use: SessionUse, tag: string): void {
    const endsState = tag === 'DISCARD ALL';
    const resetsSettings = endsState || (use.resetsSettings && tag === 'RESET');
    this.parts.state.done({ resetsSettings, endsState });
    if (this.current === undefined) return;
    if (resetsSettings) this.current.settings = new Map();
    if (endsState) this.current.left = 'nothing';
  }

  /** The engine owes nothing and is idle; all its bytes have been passed on. */
  atRest(): void {
    const { state } = this.parts;
    const { current: link } = this;
    if (state.transactionOver()) this.parts.onDefined();
    // Whoever keeps the connection keeps what is set on it.
    if (link === undefined || this.change !== undefined || state.pinned.size > 0) return;
    if (state.unread.length === 0) this.giveBack();
    // The session notices that its connection is gone.
    else void this.changing(this.readAndGiveBack(link)).catch(() => undefined);
  }

  private changing(work: Promise<void>): Promise<void> {
    this.change = work.finally(() => {
      this.change = undefined;
    });
    return this.change;
  }

  private take(): Promise<void> | undefined {
    const { pool, request } = this.parts;
    const taken = pool.take(request);
    if (taken instanceof Promise) return this.changing(taken.then((link) => this.adopt(link, 1)));
    const adopting = this.adopt(taken, 1);
    return adopting && this.changing(adopting);
  }

  /** Brings the connection into the state of this session. Until it is, the session hears nothing of it. */
  private adopt(link: EngineLink, attempt: number): Promise<void> | undefined {
    const { state, request, pool } = this.parts;
    if (request.isOver()) {
      pool.give(link);
      return undefined;
    }
    // The engine may have ended it in the same breath in which it let us in.
    if (!link.isUsable && attempt < mostAttempts) return this.another(link, attempt);
    state.restart();
    const left = link.lastHolder === request.holder ? 'nothing' : link.left;
    if (left === 'nothing' && changes(link.settings, state.settings).length === 0) {
      this.attach(link);
      return undefined;
    }
    return this.restore(link, left).catch(async (error: unknown) => {
      // It broke, and nothing of the client's was on it: another one may do.
      if (attempt >= mostAttempts) throw error;
      await this.adopt(await pool.take(request), attempt + 1);
    });
  }

  private async another(link: EngineLink, attempt: number): Promise<void> {
    const { pool, request } = this.parts;
    pool.give(link);
    await this.adopt(await pool.take(request), attempt + 1);
  }

  private async restore(link: EngineLink, left: Leaving): Promise<void> {
    const { state, request, pool } = this.parts;
    if (left === 'code') {
      const { error } = await link.exchange(cleaning);
      if (error !== undefined) {
        // Whoever left it like this was somebody else.
        link.destroy();
        throw new HatiError('engine_unreachable', { params: { reason: reasonOf(error) } });
      }
      link.cleaned();
    }
    const { settings } = state;
    const commands = changes(link.settings, settings);
    if (left === 'sequences') commands.unshift('DISCARD SEQUENCES');
    // DISCARD ALL leaves the seed of random(), and with it what comes next could be known.
    if (left === 'code') commands.unshift(`SELECT pg_catalog.setseed(${randomSeed()})`);
    if (commands.length > 0) {
      const { error } = await link.exchange(query(commands.join(';\n')));
      if (error !== undefined) {
        const failed = new HatiError('session_not_restored', {
          params: { reason: reasonOf(error) },
        });
        pool.give(link);
        this.parts.onUnrestorable(failed);
        return;
      }
      link.settings = settings;
      if (left === 'sequences') link.left = 'nothing';
    }
    if (request.isOver()) pool.give(link);
    else this.attach(link);
  }

  private attach(link: EngineLink): void {
    const { request, receiver } = this.parts;
    link.hold(request.holder, receiver);
    this.current = link;
    this.parts.onAttached(link);
  }

  private async readAndGiveBack(link: EngineLink): Promise<void> {
    await this.readSettings(link);
    const { state, request } = this.parts;
    const isFree = link.isUsable && !request.isOver() && state.pinned.size === 0;
    if (isFree && this.parts.isWhole()) this.giveBack();
  }

  private async readSettings(link: EngineLink): Promise<void> {
    const { state, receiver, refusesPins } = this.parts;
    const names = state.unread;
    try {
      // A late one would hit the question.
      if (link.mustSettleCancels) await link.settleCancels();
      const { rows, error } = await link.exchange(query(readingOf(names)));
      if (error !== undefined) throw new Error(reasonOf(error));
      state.read(names, new Map(rows.map(([name, value]) => [name!, value ?? null])));
    } catch {
      // Nobody knows any more what the client has set.
      link.destroy();
      receiver.onGone();
      return;
    }
    link.settings = state.settings;
    const [pin] = refusesPins ? state.pinned.values() : [];
    if (pin !== undefined)
      this.parts.onUnrestorable(new HatiError('pinning_refused', { params: { what: pin } }));
  }

  private giveBack(): void {
    const { current } = this;
    if (current === undefined) return;
    this.current = undefined;
    this.parts.pool.give(current);
  }
}

/** Between -1 and 1. */
function randomSeed(): string {
  return ((randomInt(2 ** 32) - 2 ** 31) / 2 ** 31).toFixed(12);
}

/**
 * The values that were set in the session, and null for those that were not: set in vain, taken back, or reset. Settings of
 * no known owner (`my.name`) are in no list.
 */
function readingOf(names: readonly string[]): string {
  const rows = names.map((name) => `(${quoteLiteral(name)}::pg_catalog.text)`);
  return `SELECT n.name, CASE
  WHEN s.source OPERATOR(pg_catalog.=) 'session' OR s.name IS NULL AND n.name OPERATOR(pg_catalog.~) '[.]'
  THEN pg_catalog."left"(pg_catalog.current_setting(n.name, true), ${longestValue + 1}) END
FROM (VALUES ${rows.join(', ')}) AS n (name)
LEFT JOIN pg_catalog.pg_settings AS s ON pg_catalog.lower(s.name) OPERATOR(pg_catalog.=) n.name`;
}

/** What makes a session with the settings `from` one with the settings `to`. */
function changes(from: ReadonlyMap<string, string>, to: ReadonlyMap<string, string>): string[] {
  if (from === to) return [];
  const resets = [...from.keys()]
    .filter((name) => !to.has(name))
    .map((name) => `RESET ${name.split('.').map(quoteIdentifier).join('.')}`);
  const calls = [...to]
    .filter(([name, value]) => from.get(name) !== value)
    .map(
      ([name, value]) =>
        `pg_catalog.set_config(${quoteLiteral(name)}, ${quoteLiteral(value)}, false)`,
    );
  return calls.length === 0 ? resets : [...resets, `SELECT ${calls.join(', ')}`];
}
