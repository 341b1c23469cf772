import {
  isEngineName,
  newEngineStatement,
  type EngineStatement,
} from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { SessionUse } from '../policy/session-use.ts';
import type { ActClass, ClassifiedText } from '../sql/statement.ts';
import { parseComplete } from '../wire/backend-messages.ts';
import {
  bind,
  closePortal,
  closeStatement,
  execute,
  parse,
  sync,
  type ParseMessage,
} from '../wire/frontend-messages.ts';
import {
  engineStatement,
  type Batches,
  type ClientStatement,
  type ClientStatements,
  type Preparation,
  type Undo,
} from './client-statements.ts';
import { disguise } from './parse-settings.ts';
import type { InForce } from './session-state.ts';
import { nothing } from './response-queue.ts';
import type { Turns } from './turns.ts';

/** Constants that stand for the time at which the statement is parsed. */
const readsClockByParse = /(?:'|\$\w*\$)[\s\d:.+-]*(?:now|today|tomorrow|yesterday)\b/i;

/** Of statements that were prepared while nobody could know by what they are understood. */
const unknown: InForce = { settings: undefined };

const plainCommands: ReadonlySet<ActClass> = new Set<ActClass>([
  ...([
    'transaction',
    'transactionReadWrite',
    'setting',
    'reset',
    'unlisten',
    'maintenance',
  ] as const),
]);

/** SET, BEGIN and their like: they have no constants that a setting could give another meaning. */
function isPlainCommand({ statements }: ClassifiedText): boolean {
  return statements.every(({ acts }) => acts.every((act) => plainCommands.has(act.class)));
}

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
  private readonly batches: Batches;
  private readonly preparation: (link: EngineLink) => Preparation;
  private readonly pin: (what: string) => void;
  /** Prepared since the last Sync: good until the next one, whatever becomes of it. */
  private readonly sentInBatch = new Set<EngineStatement>();
  /** Names that the engine knows for the length of this batch. */
  private readonly exported = new Map<string, EngineStatement>();

  constructor({ turns, client, batches, preparation, pin }: EngineStatementsParts) {
    this.turns = turns;
    this.client = client;
    this.batches = batches;
    this.preparation = preparation;
    this.pin = pin;
  }

  /** Before the Sync that ends it. */
  endOfBatch(link: EngineLink | undefined): void {
    this.sentInBatch.clear();
    if (link !== undefined) for (const name of this.exported.keys()) this.withdraw(link, name);
    this.exported.clear();
  }

  /** The client's Parse, with a name. Throws when it may not have that name. */
  parse(
    link: EngineLink,
    message: ParseMessage,
    { classified, isFailed }: ParseContext,
    settle: (done: boolean) => void,
  ): void {
    const preparation = this.preparation(link);
    const readsClock = readsClockByParse.test(message.text);
    const isPrivate = preparation.isPrivate || readsClock;
    const engine = engineStatement(classified, message, { ...preparation, isPrivate });
    const under = preparation.inForce ?? unknown;
    const statement = { classified, engine, under };
    // It can't be prepared anywhere else as it is here.
    if (readsClock) this.pin("'now' or its like in a prepared statement");
    else if (under === unknown && !isPlainCommand(classified))
      this.pin('a statement that was prepared behind SET LOCAL');
    const undo = this.client.add(message.name, statement);
    this.client.changing(message.name, this.batches);
    const settled = (done: boolean): void => {
      if (!done) undo();
      settle(done);
    };
    const state = link.statements.state(engine, this.sentInBatch);
    // In a failed transaction PostgreSQL refuses the Parse of most texts, and so it must get one.
    const { prepared } = link.counts;
    if (state === 'present') prepared.known += 1;
    else prepared.first += 1;
    if (state === 'present' && !isFailed) {
      this.turns.forward(closesNothing, { of: 'close', shows: parseComplete, settle: settled });
      return;
    }
    if (state !== 'absent') this.hide(closeStatement(engine.name));
    this.makeRoom(link, engine);
    this.turns.forward(engine.parse, {
      of: 'parse',
      settle: (done, { isDiscarded }) => {
        link.statements.parsed(engine, done, isDiscarded);
        settled(done);
      },
    });
  }

  /** Something is about to use it. @returns whether it can; if not, that has been answered. */
  ensure(link: EngineLink, statement: ClientStatement): boolean {
    const { engine, under, classified } = statement;
    const state = link.statements.state(engine, this.sentInBatch);
    if (state === 'present') return true;
    const isPlain = isPlainCommand(classified);
    if (under.settings === undefined && under !== this.preparation(link).inForce && !isPlain) {
      this.turns.refuse(new HatiError('prepared_under_others'));
      return false;
    }
    if (state === 'unsure') this.hide(closeStatement(engine.name));
    link.counts.prepared.again += 1;
    this.makeRoom(link, engine);
    this.as(link, isPlain ? undefined : under, {}, () =>
      this.turns.forward(engine.parse, {
        of: 'parse',
        shows: nothing,
        settle: (done, { isDiscarded }) => link.statements.parsed(engine, done, isDiscarded),
      }),
    );
    return true;
  }

  /** A statement keeps what its constants meant when the client prepared it. */
  private as(
    link: EngineLink,
    under: InForce | undefined,
    how: { readonly isApart?: boolean },
    prepare: () => void,
  ): void {
    const { inForce } = this.preparation(link);
    const wanted = under === inForce ? undefined : under?.settings;
    const around = wanted && disguise(wanted, inForce?.settings);
    if (around !== undefined) this.hideCommand(around[0], how);
    prepare();
    if (around !== undefined) this.hideCommand(around[1], how);
  }

  private hideCommand(text: string, how: { readonly isApart?: boolean }): void {
    const { name, parse: message } = newEngineStatement({ text, parameterTypes: [] });
    const hidden = { shows: nothing, ...how };
    this.turns.forward(message, { of: 'parse', ...hidden });
    this.turns.forward(bind(name, name), { of: 'bind', ...hidden });
    // The portal needs it no more, and an error in what follows would leave it behind.
    this.turns.forward(closeStatement(name), { of: 'close', ...hidden });
    this.turns.forward(execute(name), { of: 'execute', ...hidden });
    this.turns.forward(closePortal(name), { of: 'close', ...hidden });
  }

  /** The client's Parse without a name. */
  parseUnnamed(
    link: EngineLink,
    { raw, classified }: { readonly raw: Buffer; readonly classified: ClassifiedText },
    settle: (done: boolean) => void,
  ): void {
    // A copy: the chunk that it came in is much larger.
    link.counts.prepared.first += 1;
    const under = this.preparation(link).inForce ?? unknown;
    const unnamed = { classified, parse: Buffer.from(raw), under };
    const before = this.client.unnamed;
    this.client.unnamed = unnamed;
    this.client.changing('', this.batches);
    link.statements.unnamed = unnamed;
    this.turns.forward(raw, {
      of: 'parse',
      settle: (done, { isDiscarded }) => {
        if (!done) {
          // One that fails takes the one before with it; one that is never looked at does not.
          if (this.client.unnamed === unnamed)
            this.client.unnamed = isDiscarded ? before : undefined;
          link.statements.unnamed = undefined;
        }
        settle(done);
      },
    });
  }

  /** @returns false when the client has none. */
  ensureUnnamed(link: EngineLink): boolean {
    const { unnamed } = this.client;
    if (unnamed === undefined) return false;
    if (link.statements.unnamed === unnamed) return true;
    link.counts.prepared.again += 1;
    link.statements.unnamed = unnamed;
    this.as(link, unnamed.under, {}, () =>
      this.turns.forward(unnamed.parse, {
        of: 'parse',
        shows: nothing,
        settle: (done) => {
          if (!done) link.statements.unnamed = undefined;
        },
      }),
    );
    return true;
  }

  /** A Query, or Close of the unnamed statement: PostgreSQL lets go of it. @returns what undoes that. */
  endUnnamed(link: EngineLink): Undo {
    const before = this.client.unnamed;
    this.client.unnamed = undefined;
    this.client.changing('', this.batches);
    link.statements.unnamed = undefined;
    const changes = this.client.unnamedChanges;
    return () => {
      if (this.client.unnamedChanges === changes) this.client.unnamed = before;
    };
  }

  /** The client's Close. */
  close(name: string, settle: (done: boolean) => void): void {
    const undo = this.client.remove(name);
    this.client.changing(name, this.batches);
    // The connection keeps it for whoever prepares the same.
    this.turns.forward(closesNothing, {
      of: 'close',
      settle: (done) => {
        if (!done) undo();
        settle(done);
      },
    });
  }

  /**
   * @param mayKnowMore code that nobody can read has run, and may have prepared something
   * @returns what is wrong with the names of prepared statements that SQL runs, ends or makes.
   */
  fault({ statements }: ClassifiedText, mayKnowMore: boolean): HatiError | undefined {
    const made = new Set<string>();
    const freed = new Set<string>();
    let isCleared = false;
    for (const { executed, deallocated, prepared, effects } of statements) {
      const isKnown = (name: string): boolean =>
        made.has(name) ||
        (!isCleared &&
          !freed.has(name) &&
          (this.client.get(name) !== undefined || this.client.ofSql.has(name)));
      // What the session did not prepare, another one may have; and names of ours are nobody else's.
      const unknown = mayKnowMore
        ? [...executed, ...deallocated].find(isEngineName)
        : [...executed, ...deallocated].find((name) => !isKnown(name));
      if (unknown !== undefined)
        return new HatiError('prepared_statement_unknown', { params: { name: unknown } });
      const taken = prepared.find(
        (name) =>
          isEngineName(name) ||
          (!isCleared && !freed.has(name) && this.client.get(name) !== undefined),
      );
      if (taken !== undefined)
        return new HatiError('prepared_statement_exists', { params: { name: taken } });
      for (const name of deallocated) {
        made.delete(name);
        freed.add(name);
      }
      if (effects.includes('endsPrepared')) {
        made.clear();
        isCleared = true;
      }
      for (const name of prepared) made.add(name);
    }
    return undefined;
  }

  /**
   * SQL is about to name statements that were prepared by the protocol (EXECUTE, DEALLOCATE): for that long the engine must
   * know them by the client's names.
   * @param isBatch whether it comes in an extended batch, which ends with the client's own Sync.
   * @returns to be called behind it, where it is no batch.
   */
  exportNamed(
    link: EngineLink,
    { executed, deallocated }: SessionUse,
    isBatch: boolean,
  ): () => void {
    const names = [...new Set([...executed, ...deallocated])].filter((name) => {
      const statement = this.client.get(name);
      return statement !== undefined && this.exported.get(name) !== statement.engine;
    });
    for (const name of names) {
      const { engine, under } = this.client.get(name)!;
      const { text, parameterTypes } = engine;
      this.hide(closeStatement(name));
      const hidden = { shows: nothing, isApart: !isBatch };
      this.as(link, under, hidden, () =>
        this.turns.forward(parse({ name, text, parameterTypes }), { of: 'parse', ...hidden }),
      );
      if (isBatch) this.exported.set(name, engine);
    }
    if (isBatch || names.length === 0) return () => undefined;
    this.hideSync();
    return () => {
      for (const name of names) this.withdraw(link, name);
      this.hideSync();
    };
  }

  /** Statements that DEALLOCATE has ended. */
  deallocated(names: readonly string[]): void {
    for (const name of names) {
      this.client.remove(name);
      this.client.ofSql.delete(name);
    }
  }

  /** Nothing stays prepared: DISCARD ALL, DEALLOCATE ALL. */
  ended(link: EngineLink): void {
    this.client.clear();
    link.statements.clear();
  }

  private withdraw(link: EngineLink, name: string): void {
    this.turns.forward(closeStatement(name), {
      of: 'close',
      shows: nothing,
      settle: (done) => {
        // It would be somebody else's to run.
        if (!done) link.isRetired = true;
      },
    });
  }

  private makeRoom(link: EngineLink, engine: EngineStatement): void {
    for (const evicted of link.statements.sent(engine)) {
      // A batch may go on for ever, and must not keep all that it ever prepared.
      this.sentInBatch.delete(evicted);
      this.turns.forward(closeStatement(evicted.name), {
        of: 'close',
        shows: nothing,
        settle: (done) => {
          if (!done) link.statements.notClosed(evicted);
        },
      });
    }
    this.sentInBatch.add(engine);
  }

  private hide(close: Buffer): void {
    this.turns.forward(close, { of: 'close', shows: nothing });
  }

  private hideSync(): void {
    this.turns.forward(sync, { of: 'sync', shows: nothing });
  }
}

export interface EngineStatementsParts {
  readonly turns: Turns;
  readonly client: ClientStatements;
  readonly batches: Batches;
  /** What a statement is prepared under just now. */
  readonly preparation: (link: EngineLink) => Preparation;
  /** The session keeps its connection from now on. Throws where it may not. */
  readonly pin: (what: string) => void;
}

export interface ParseContext {
  readonly classified: ClassifiedText;
  /** The transaction has failed. */
  readonly isFailed: boolean;
}
