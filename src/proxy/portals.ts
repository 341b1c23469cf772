import type { EngineLink } from '../engine/pool/link.ts';
import type { SessionUse } from '../policy/session-use.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import type { ClientStatement, ClientStatements } from './client-statements.ts';
import type { EngineHold } from './engine-hold.ts';
import type { ExportedStatements } from './exported-statements.ts';
import type { ResponseQueue } from './response-queue.ts';
import { namesStatements, noteRan } from './statement-names.ts';
import type { Turns } from './turns.ts';

export interface PortalsParts {
  readonly turns: Turns;
  readonly owed: ResponseQueue;
  readonly hold: EngineHold;
  readonly client: ClientStatements;
  readonly exported: ExportedStatements;
}

/**
 * The engine's portals, by their names, which are the client's: they live no longer than the transaction. Of most of them nothing
 * need be known here.
 */
export class Portals {
  private readonly parts: PortalsParts;
  /** Portals of statements that end what is prepared or set, or copy in. */
  private readonly special = new Map<string, Special>();
  /** What portals were made of, where the client has not been told yet what that gives. */
  private readonly bound = new Map<string, Bound>();

  constructor(parts: PortalsParts) {
    this.parts = parts;
  }

  /** What the portal was made of, where its Describe tells the client something new. */
  statementToLearn(name: string): ClientStatement | undefined {
    return this.bound.get(name)?.statement;
  }

  /**
   * A Bind is to give the name to a portal of this statement.
   * @param statement undefined where it is the unnamed one or was prepared in SQL
   * @returns what was noted of the portal that had the name, for `bind`.
   */
  replace(name: string, statement: ClientStatement | undefined): Special | undefined {
    const before = this.special.get(name);
    this.special.delete(name);
    if (statement === undefined || statement.shape !== undefined) this.bound.delete(name);
    else this.bound.set(name, { statement, batch: this.parts.owed.batch });
    return before;
  }

  /** What the portal will do when it is executed. */
  note(name: string, use: SessionUse, classified: ClassifiedText): void {
    if (use.endsPrepared || use.resetsSettings || use.copiesIn || namesStatements(use))
      this.special.set(name, { use, classified, batch: this.parts.owed.batch });
  }

  /** Sends the Bind. @param before what `replace` returned: so it is again when the engine refuses */
  bind(message: Buffer, name: string, before: Special | undefined): void {
    const { turns } = this.parts;
    if (name === '') {
      turns.bindUnnamed(message);
      return;
    }
    const special = this.special.get(name);
    const settle = (done: boolean): void => {
      if (done || this.special.get(name) !== special) return;
      if (before === undefined) this.special.delete(name);
      else this.special.set(name, before);
    };
    turns.forward(message, before === special ? 'bind' : { of: 'bind', settle });
  }

  /** Sends the Execute. */
  execute(link: EngineLink, raw: Buffer, name: string): Promise<void> | undefined {
    const { turns } = this.parts;
    const special = this.special.get(name);
    if (special !== undefined) return this.executeSpecial(link, { raw, name }, special);
    if (name === '') return turns.forwardUnnamed(raw, 'execute');
    turns.forward(raw, 'execute');
    return undefined;
  }

  /** A Query is on its way; it makes an unnamed portal of its own. */
  querySent(): void {
    this.special.delete('');
    this.bound.delete('');
  }

  /** They end with the transaction; those that were bound behind it are of the next one. */
  endOfTransaction(): void {
    const { answered } = this.parts.owed;
    for (const portals of [this.special, this.bound])
      for (const [name, { batch }] of portals) if (batch < answered) portals.delete(name);
  }

  /**
   * It ends what is prepared or set, or the engine will ask for data: what comes behind waits until that is known. By then all
   * before it is answered.
   */
  private async executeSpecial(
    link: EngineLink,
    { raw, name }: { readonly raw: Buffer; readonly name: string },
    { use, classified }: Special,
  ): Promise<void> {
    const { turns, owed, hold, client, exported } = this.parts;
    if (!(await turns.caughtUp())) return;
    // It may have been bound in an earlier batch.
    if (namesStatements(use)) exported.add(link, use, true);
    const settle = (done: boolean): void => {
      if (!done) return;
      noteRan(classified.statements, client, link);
      // RESET ALL may be taken back with the batch; then its settings are read.
      if (use.endsState) hold.done(use);
    };
    const expected = { of: 'execute', settle } as const;
    // Its Bind may have failed, and then another portal has the name.
    if (name === '') await turns.forwardUnnamed(raw, expected);
    else turns.forward(raw, expected);
    if (use.copiesIn) await owed.copyKnown();
    else await turns.caughtUp();
  }
}

interface Bound {
  readonly statement: ClientStatement;
  /** The batch that it was bound in. */
  readonly batch: number;
}

interface Special {
  readonly use: SessionUse;
  readonly classified: ClassifiedText;
  /** The batch that it was bound in. */
  readonly batch: number;
}
