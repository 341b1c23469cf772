import type { EngineStatement } from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import { SeldomSet } from '../shared/seldom.ts';
import type { ActClass, ClassifiedText } from '../sql/statement.ts';
import { parseComplete } from '../wire/backend-messages.ts';
import { closeStatement, type ParseMessage } from '../wire/frontend-messages.ts';
import {
  engineStatement,
  underUnknown,
  type Batches,
  type ClientStatement,
  type ClientStatements,
  type Preparation,
} from './client-statements.ts';
import { EngineUnnamedStatement } from './engine-unnamed-statement.ts';
import { ExportedStatements } from './exported-statements.ts';
import { HiddenMessages } from './hidden-messages.ts';
import type { FastLane } from './lane/fast-lane.ts';
import { readsClockByParse } from './parse-settings.ts';
import { nothing } from './expected.ts';
import { standIn } from './stand-in-statements.ts';
import type { Turns } from './turns.ts';

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
 * takes for that is sent ahead in the same batch (`hidden-messages.ts`).
 */
export class EngineStatements {
  readonly unnamed: EngineUnnamedStatement;
  /** By the client's names. */
  readonly exported: ExportedStatements;
  private readonly parts: EngineStatementsParts;
  private readonly hidden: HiddenMessages;
  /** Prepared since the last Sync: good until the next one, whatever becomes of it. */
  private readonly sentInBatch = new SeldomSet<EngineStatement>();

  constructor(parts: EngineStatementsParts) {
    const hidden = new HiddenMessages(parts.turns, parts.preparation);
    this.parts = parts;
    this.hidden = hidden;
    this.exported = new ExportedStatements(hidden, parts.client);
    this.unnamed = new EngineUnnamedStatement({ ...parts, hidden, exported: this.exported });
  }

  /** Before the Sync that ends it. */
  endOfBatch(link: EngineLink | undefined): void {
    // To clear an empty one costs a new one.
    if (this.sentInBatch.size > 0) this.sentInBatch.clear();
    this.exported.endOfBatch(link);
  }

  /**
   * The client's Parse, with a name. Throws when it may not have that name.
   * @param note called when it has got it
   */
  parse(
    link: EngineLink,
    message: ParseMessage,
    { classified, isFailed }: ParseContext,
    note: () => (done: boolean) => void,
  ): void {
    const { client, batches, pin } = this.parts;
    const preparation = this.parts.preparation(link);
    const readsClock = readsClockByParse(message.text);
    // What a name stands for is the session's own.
    const isPrivate = preparation.isPrivate || readsClock || classified.names;
    const engine = engineStatement(message, { ...preparation, isPrivate });
    const under = preparation.inForce ?? underUnknown;
    const statement = { classified, engine, under };
    // It can't be prepared anywhere else as it is here.
    if (readsClock) pin("'now' or its like in a prepared statement");
    else if (under === underUnknown && !isPlainCommand(classified))
      pin('a statement that was prepared behind SET LOCAL');
    const undo = client.add(message.name, statement);
    client.changing(message.name, batches);
    const settle = note();
    this.exported.addPrepared(link, classified);
    this.prepare(link, engine, isFailed, (done) => {
      if (!done) undo();
      settle(done);
    });
  }

  /** The client's Parse without a name. */
  parseUnnamed(
    link: EngineLink,
    { raw, ...message }: Omit<ParseMessage, 'name'> & { readonly raw: Buffer },
    classified: ClassifiedText,
    settle: (done: boolean) => void,
  ): void {
    const { preparation, lane } = this.parts;
    const engine =
      lane?.isSharing === true ? standIn(message, classified, preparation(link)) : undefined;
    const statement = { raw, classified, standIn: engine };
    if (engine === undefined) {
      this.unnamed.parse(link, statement, settle);
      return;
    }
    lane?.standsIn();
    const settled = this.unnamed.replaced(link, statement);
    this.prepare(link, engine, false, (done, isDiscarded) => {
      settled(done, isDiscarded);
      settle(done);
    });
  }

  /** Something is about to use the unnamed statement. @returns the engine's name for it; undefined when the client has none. */
  useUnnamed(link: EngineLink): string | undefined {
    const engine = this.parts.client.unnamed?.standIn;
    if (engine !== undefined && this.parts.lane?.isSharing === true)
      if (link.statements.state(engine, this.sentInBatch) === 'present') return engine.name;
    return this.unnamed.ensure(link) ? '' : undefined;
  }

  /** Sends the Parse, or what is answered alike where the engine has it. */
  private prepare(
    link: EngineLink,
    engine: EngineStatement,
    isFailed: boolean,
    settle: (done: boolean, isDiscarded: boolean) => void,
  ): void {
    const { turns } = this.parts;
    const state = link.statements.state(engine, this.sentInBatch);
    const { prepared } = link.counts;
    if (state === 'present') prepared.known += 1;
    else prepared.first += 1;
    // In a failed transaction PostgreSQL refuses the Parse of most texts, and so it must get one.
    if (state === 'present' && !isFailed) {
      turns.forward(closesNothing, {
        of: 'close',
        shows: parseComplete,
        settle: (done, { isDiscarded }) => settle(done, isDiscarded),
      });
      return;
    }
    if (state !== 'absent') this.hidden.close(engine.name);
    this.makeRoom(link, engine);
    turns.forward(engine.parse, {
      of: 'parse',
      settle: (done, { isDiscarded }) => {
        link.statements.parsed(engine, done, isDiscarded);
        settle(done, isDiscarded);
      },
    });
  }

  /** Something is about to use it. @returns whether it can; if not, that has been answered. */
  ensure(link: EngineLink, statement: ClientStatement): boolean {
    const { turns, preparation } = this.parts;
    const { engine, under, classified } = statement;
    const state = link.statements.state(engine, this.sentInBatch);
    if (state === 'present') return true;
    const isPlain = isPlainCommand(classified);
    if (under.settings === undefined && under !== preparation(link).inForce && !isPlain) {
      turns.refuse(new HatiError('prepared_under_others'));
      return false;
    }
    if (state === 'unsure') this.hidden.close(engine.name);
    link.counts.prepared.again += 1;
    this.makeRoom(link, engine);
    this.hidden.preparing(link, isPlain ? undefined : under, {}, () =>
      turns.forward(engine.parse, {
        of: 'parse',
        shows: nothing,
        settle: (done, { isDiscarded }) => link.statements.parsed(engine, done, isDiscarded),
      }),
    );
    return true;
  }

  /** The client's Close. */
  close(link: EngineLink, name: string, settle: (done: boolean) => void): void {
    const { turns, client, batches } = this.parts;
    this.exported.close(link, name);
    // Of the protocol's, the connection keeps it for whoever prepares the same.
    const message = client.ofSql.has(name) ? closeStatement(name) : closesNothing;
    const undo = client.remove(name);
    client.changing(name, batches);
    turns.forward(message, {
      of: 'close',
      settle: (done) => {
        if (!done) undo();
        settle(done);
      },
    });
  }

  private makeRoom(link: EngineLink, engine: EngineStatement): void {
    for (const evicted of link.statements.sent(engine)) {
      // A batch may go on for ever, and must not keep all that it ever prepared.
      this.sentInBatch.delete(evicted);
      this.hidden.close(evicted.name, (done) => {
        if (!done) link.statements.notClosed(evicted);
      });
    }
    this.sentInBatch.add(engine);
  }
}

export interface EngineStatementsParts {
  readonly turns: Turns;
  readonly client: ClientStatements;
  readonly batches: Batches;
  /** What a statement is prepared under just now. */
  readonly preparation: (link: EngineLink) => Preparation;
  /** Undefined where it is switched off. */
  readonly lane: Pick<FastLane, 'isSharing' | 'standsIn'> | undefined;
  /** The session keeps its connection from now on. Throws where it may not. */
  readonly pin: (what: string) => void;
}

export interface ParseContext {
  readonly classified: ClassifiedText;
  /** The transaction has failed. */
  readonly isFailed: boolean;
}
