import type { EngineStatement } from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import { parseComplete } from '../wire/backend-messages.ts';
import { closeStatement, parse, sync, type ParseMessage } from '../wire/frontend-messages.ts';
import {
  sharedStatement,
  type ClientStatement,
  type ClientStatements,
} from './client-statements.ts';
import { nothing } from './response-queue.ts';
import type { Turns } from './turns.ts';

/** No statement has this name, so closing it closes nothing, and the engine says that it is done. */
const closesNothing = closeStatement('hatidata: no statement has this name');

/**
 * Sees to it that a statement is prepared on the connection that the session holds, before what needs it is sent. What it
 * takes for that is sent ahead in the same batch; its answers are kept from the client, but for an error, which is then the
 * answer to what needed it.
 */
export class EngineStatements {
  private readonly turns: Turns;
  private readonly client: ClientStatements;
  /** Prepared since the last Sync: good until the next one, whatever becomes of it. */
  private readonly sentInBatch = new Set<EngineStatement>();
  /** Names under which the engine has a statement of the client's, for SQL that runs it by name. */
  private readonly exported = new Set<string>();

  constructor(turns: Turns, client: ClientStatements) {
    this.turns = turns;
    this.client = client;
  }

  endOfBatch(): void {
    this.sentInBatch.clear();
  }

  /** The client's Parse, with a name. Throws when it may not have that name. */
  parse(
    link: EngineLink,
    message: ParseMessage,
    { classified, settings, isFailed }: ParseContext,
    settle: (done: boolean) => void,
  ): void {
    const engine = sharedStatement(classified, message, settings);
    const undo = this.client.add(message.name, { classified, engine });
    const settled = (done: boolean): void => {
      if (!done) undo();
      settle(done);
    };
    const state = link.statements.state(engine, this.sentInBatch);
    // In a failed transaction PostgreSQL refuses the Parse, and so it must get one.
    if (state === 'present' && !isFailed) {
      this.turns.forward(closesNothing, { of: 'close', shows: parseComplete, settle: settled });
      return;
    }
    if (state === 'unsure') this.hide(closeStatement(engine.name));
    this.makeRoom(link, engine);
    this.turns.forward(engine.parse, {
      of: 'parse',
      settle: (done) => {
        link.statements.settled(engine, done);
        settled(done);
      },
    });
  }

  /** Something is about to use it. */
  ensure(link: EngineLink, { engine }: ClientStatement): void {
    const state = link.statements.state(engine, this.sentInBatch);
    if (state === 'present') return;
    if (state === 'unsure') this.hide(closeStatement(engine.name));
    this.makeRoom(link, engine);
    this.turns.forward(engine.parse, {
      of: 'parse',
      shows: nothing,
      settle: (done) => link.statements.settled(engine, done),
    });
  }

  /** The client's Parse without a name. */
  parseUnnamed(
    link: EngineLink,
    { raw, classified }: { readonly raw: Buffer; readonly classified: ClassifiedText },
    settle: (done: boolean) => void,
  ): void {
    // A copy: the chunk that it came in is much larger.
    const unnamed = { classified, parse: Buffer.from(raw) };
    this.client.unnamed = unnamed;
    link.statements.unnamed = unnamed;
    this.turns.forward(raw, {
      of: 'parse',
      settle: (done) => {
        if (!done) this.forgetUnnamed(link, unnamed);
        settle(done);
      },
    });
  }

  /** @returns false when the client has none. */
  ensureUnnamed(link: EngineLink): boolean {
    const { unnamed } = this.client;
    if (unnamed === undefined) return false;
    if (link.statements.unnamed === unnamed) return true;
    link.statements.unnamed = unnamed;
    this.turns.forward(unnamed.parse, {
      of: 'parse',
      shows: nothing,
      settle: (done) => {
        if (!done) link.statements.unnamed = undefined;
      },
    });
    return true;
  }

  /** A Query, or Close of the unnamed statement: PostgreSQL lets go of it. */
  endUnnamed(link: EngineLink): void {
    this.client.unnamed = undefined;
    link.statements.unnamed = undefined;
  }

  /** The client's Close. */
  close(name: string, settle: (done: boolean) => void): void {
    const undo = this.client.remove(name);
    // The connection keeps it for whoever prepares the same.
    this.turns.forward(this.exported.delete(name) ? closeStatement(name) : closesNothing, {
      of: 'close',
      settle: (done) => {
        if (!done) undo();
        settle(done);
      },
    });
  }

  /**
   * SQL is about to name statements that were prepared by the protocol (EXECUTE, DEALLOCATE): the engine must know those by
   * the client's names.
   * @param isBatch whether it comes in an extended batch, which ends with the client's own Sync.
   */
  exportNamed({ statements }: ClassifiedText, isBatch: boolean): void {
    const named = (names: readonly string[]): readonly string[] =>
      names.filter((name) => this.client.get(name) !== undefined);
    const executed = named(statements.flatMap((statement) => statement.executed));
    const deallocated = named(statements.flatMap((statement) => statement.deallocated));
    const missing = [...new Set([...executed, ...deallocated])].filter(
      (name) => !this.exported.has(name),
    );
    for (const name of missing) {
      const { text, parameterTypes } = this.client.get(name)!.engine;
      this.turns.forward(parse({ name, text, parameterTypes }), {
        of: 'parse',
        shows: nothing,
        isApart: !isBatch,
      });
      this.exported.add(name);
    }
    if (!isBatch && missing.length > 0) this.turns.forward(sync, { of: 'sync', shows: nothing });
    for (const name of deallocated) {
      this.client.remove(name);
      this.exported.delete(name);
    }
  }

  /** Nothing stays prepared: DISCARD ALL, DEALLOCATE ALL. */
  ended(link: EngineLink): void {
    this.client.clear();
    this.exported.clear();
    link.statements.clear();
  }

  private forgetUnnamed(link: EngineLink, unnamed: object): void {
    if (this.client.unnamed === unnamed) this.client.unnamed = undefined;
    link.statements.unnamed = undefined;
  }

  private makeRoom(link: EngineLink, engine: EngineStatement): void {
    for (const evicted of link.statements.sent(engine)) {
      // A batch may go on for ever, and must not keep all that it ever prepared.
      this.sentInBatch.delete(evicted);
      this.turns.forward(closeStatement(evicted.name), {
        of: 'close',
        shows: nothing,
        settle: (done) => {
          if (!done) link.statements.settled(evicted, false);
        },
      });
    }
    this.sentInBatch.add(engine);
  }

  private hide(close: Buffer): void {
    this.turns.forward(close, { of: 'close', shows: nothing });
  }
}

export interface ParseContext {
  readonly classified: ClassifiedText;
  readonly settings: ReadonlyMap<string, string>;
  /** The transaction has failed. */
  readonly isFailed: boolean;
}
