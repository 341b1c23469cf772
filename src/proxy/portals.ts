import type { EngineLink } from '../engine/pool/link.ts';
import type { SessionUse } from '../policy/session-use.ts';
import { SeldomMap } from '../shared/seldom.ts';
import { ddlVerb, type ClassifiedText } from '../sql/statement.ts';
import type { ClientStatement } from './client-statements.ts';
import type { EngineHold } from './engine-hold.ts';
import type { Entry, PreparedStatements } from './prepared-statements.ts';
import type { Noted } from './expected.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { RunsByName } from './runs-by-name.ts';
import { namesStatements, noteRan, type NamedParts } from './statement-names.ts';
import type { Turns } from './turns.ts';

export interface PortalsParts extends NamedParts {
  readonly turns: Turns;
  readonly owed: ResponseQueue;
  readonly hold: EngineHold;
  readonly judged: PreparedStatements;
  readonly runs: RunsByName;
  readonly useOf: (text: ClassifiedText) => SessionUse;
}

/** What a portal is made of. */
export interface Made {
  /** Of the statement. */
  readonly name: string;
  readonly classified: ClassifiedText;
  /** Undefined where it is the unnamed one. */
  readonly statement: ClientStatement | undefined;
}

/**
 * The engine's portals, by their names, which are the client's: they live no longer than the transaction. Of most of them nothing
 * need be known here.
 *
 * PostgreSQL understands a query (SELECT, INSERT …) when it is bound. What any other statement names (COPY, LOCK TABLE, EXECUTE) it
 * looks up when that is executed: then it is judged again.
 *
 * A portal may be gone that is noted here (ROLLBACK TO, CLOSE), but none is there that is noted otherwise. So what is noted says
 * what an Execute might do; what it did, the engine says.
 */
export class Portals {
  private readonly parts: PortalsParts;
  private readonly known = new SeldomMap<string, Portal>();

  constructor(parts: PortalsParts) {
    this.parts = parts;
  }

  /** What the portal was made of, where its Describe, in the batch that bound it, tells the client something new. */
  statementToLearn(name: string): ClientStatement | undefined {
    const portal = this.known.get(keyOf(name));
    return portal?.batch === this.parts.owed.batch ? portal.statement : undefined;
  }

  /** As `RunsByNameParts.textOfPortal`. */
  textOf(name: string): ClassifiedText | undefined {
    return this.known.get(keyOf(name))?.runs?.classified;
  }

  /** Whether the portal came to be, or to its end, depends on answers to an earlier batch. */
  isUndecided(name: string): boolean {
    const { batch, answered } = this.parts.owed;
    const noted = this.known.get(keyOf(name))?.batch;
    return noted !== undefined && noted >= answered && noted !== batch;
  }

  /** Sends the Bind. @param made undefined where the statement was prepared in SQL, and so is a query */
  bind(message: Buffer, name: string, made: Made | undefined): void {
    const { turns } = this.parts;
    const settle = this.replace(name, made);
    if (name === '') turns.bindUnnamed(message, settle);
    else turns.forward(message, settle ? { of: 'bind', settle } : 'bind');
  }

  /** Sends the Close. */
  close(message: Buffer, name: string): void {
    const settle = this.replace(name, undefined);
    this.parts.turns.forward(message, settle ? { of: 'close', settle } : 'close');
  }

  /** Sends the Execute. */
  execute(link: EngineLink, raw: Buffer, name: string): Promise<void> | undefined {
    const { turns, judged } = this.parts;
    const runs = this.known.get(keyOf(name))?.runs;
    if (this.isUndecided(name) || (runs !== undefined && this.isSpecial(runs)))
      return this.executeSpecial(link, raw, name);
    const refusal = runs?.entry && judged.recheckEntry(runs.entry);
    if (refusal !== undefined) return turns.refuse(refusal);
    return this.forward(raw, name);
  }

  /** A Query is on its way; it makes an unnamed portal of its own. */
  querySent(): void {
    this.known.delete('');
  }

  /** A cursor is to get the name. @returns as `replace`. */
  declaring(name: string): ((done: boolean) => void) | undefined {
    return this.replace(name, undefined);
  }

  /** They end with the transaction; those that were bound behind it are of the next one. */
  endOfTransaction(): void {
    const { answered } = this.parts.owed;
    for (const [name, { batch }] of this.known) if (batch < answered) this.known.delete(name);
  }

  /**
   * A message is to give the name to another portal, or to none.
   * @returns to be told whether it did; undefined where nothing was or is to be known.
   */
  private replace(name: string, made: Made | undefined): ((done: boolean) => void) | undefined {
    const { known, parts } = this;
    const key = keyOf(name);
    const before = known.get(key);
    const runs = made && (isQuery(made.classified) ? undefined : this.noted(made));
    const statement = made?.statement?.shape === undefined ? made?.statement : undefined;
    const isPlain = runs === undefined && statement === undefined;
    if (isPlain && before === undefined) return undefined;
    const next = { runs, statement, batch: parts.owed.batch };
    known.set(key, next);
    return (done) => {
      if (known.get(key) !== next) return;
      const now = done ? next : before;
      if (now === undefined || (done && isPlain)) known.delete(key);
      else known.set(key, now);
    };
  }

  private noted({ name, classified }: Made): Runs | undefined {
    const entry = this.parts.judged.entryOf(name);
    const runs = { classified, entry };
    return entry !== undefined || this.isSpecial(runs) ? runs : undefined;
  }

  /** It is of consequence for what comes behind, or it runs something by name. */
  private isSpecial({ classified }: Runs): boolean {
    const use = this.parts.useOf(classified);
    return (
      use.endsPrepared ||
      use.resetsSettings ||
      use.copiesIn ||
      namesStatements(use) ||
      use.prepared.length + use.fetched.length > 0 ||
      use.declared.some((name) => this.known.has(keyOf(name)))
    );
  }

  private forward(
    raw: Buffer,
    name: string,
    expected: Noted | 'execute' = 'execute',
  ): Promise<void> | undefined {
    const { turns } = this.parts;
    if (name === '') return turns.forwardUnnamed(raw, expected);
    turns.forward(raw, expected);
    return undefined;
  }

  /** What comes behind waits until it is known what it did. By then all before it is answered. */
  private async executeSpecial(link: EngineLink, raw: Buffer, name: string): Promise<void> {
    const { parts } = this;
    const { turns, owed, hold, judged, runs, exported } = parts;
    if (!(await turns.caughtUp())) return;
    const portal = this.known.get(keyOf(name))?.runs;
    if (portal === undefined) return this.forward(raw, name);
    const { classified, entry } = portal;
    const whole = runs.whole(classified);
    const refusal =
      (entry && judged.recheckEntry(entry)) ?? runs.fault(whole) ?? runs.nameFault(classified);
    if (refusal !== undefined) return turns.refuse(refusal);
    const { use } = whole;
    // Since it was bound, its names may have come to mean something else.
    hold.running(use);
    for (const text of whole.texts) judged.running(text);
    if (namesStatements(use)) exported.add(link, use, true);
    const ran = whole.texts.flatMap(({ statements }) => statements);
    const cursors = use.declared.map((each) => this.declaring(each));
    const settle: Noted['settle'] = (_, { tags: [tag = ''] }) => {
      noteRan(link, ran, tag, parts);
      for (const each of cursors) each?.(tag === 'DECLARE CURSOR');
      // RESET ALL may be taken back with the batch; then its settings are read.
      if (tag === 'DISCARD ALL') hold.done(use, tag);
    };
    await this.forward(raw, name, { of: 'execute', settle });
    if (use.copiesIn) await owed.copyKnown();
    else await turns.caughtUp();
  }
}

/** Except for SELECT INTO, which is a definition. */
const queries: ReadonlySet<string> = new Set([
  ...['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'],
]);

function isQuery({ statements }: ClassifiedText): boolean {
  return statements.every(
    ({ node, acts }) => queries.has(node) && !acts.some(({ verb }) => verb === ddlVerb),
  );
}

/** PostgreSQL compares no more bytes of a portal's name than NAMEDATALEN - 1. */
function keyOf(name: string): string {
  return name.length <= 20 ? name : Buffer.from(name).subarray(0, 63).toString('latin1');
}

interface Portal {
  readonly runs: Runs | undefined;
  /** Where the client has not been told yet what it gives. */
  readonly statement: ClientStatement | undefined;
  /** The batch of the message by which it is as it is. */
  readonly batch: number;
}

/** A statement of which something has to be known when it is executed. */
interface Runs {
  readonly classified: ClassifiedText;
  /** What it is judged by. */
  readonly entry: Entry | undefined;
}
