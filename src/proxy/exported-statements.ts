import type { EngineStatement } from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import type { SessionUse } from '../policy/session-use.ts';
import { SeldomMap } from '../shared/seldom.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import type { ClientStatements } from './client-statements.ts';
import type { HiddenMessages } from './hidden-messages.ts';
import { runsByName } from './runs-by-name.ts';

/**
 * SQL may name statements that were prepared by the protocol (EXECUTE, DEALLOCATE): for as long as it runs the engine must know
 * them by the client's names, and no longer, because the next holder of the connection may give one of them to another text.
 */
export class ExportedStatements {
  private readonly hidden: HiddenMessages;
  private readonly client: ClientStatements;
  /** Names that the engine knows for the length of this batch. */
  private readonly exported = new SeldomMap<string, EngineStatement>();

  constructor(hidden: HiddenMessages, client: ClientStatements) {
    this.hidden = hidden;
    this.client = client;
  }

  /**
   * What names them is about to be sent.
   * @param isBatch whether it comes in an extended batch, which ends with the client's own Sync
   * @returns to be called once a Query that ends the batch is answered, or where there is none behind it; undefined where there is
   *   nothing to do.
   */
  add(
    link: EngineLink,
    { executed, deallocated }: Pick<SessionUse, 'executed' | 'deallocated'>,
    isBatch: boolean,
  ): (() => void) | undefined {
    if (executed.length + deallocated.length === 0) return undefined;
    const plain = executed.filter((name) => !this.isNested(name));
    const names = [...new Set([...plain, ...deallocated])].filter((name) => {
      const statement = this.client.get(name);
      return statement !== undefined && this.exported.get(name) !== statement.engine;
    });
    const how = { isApart: !isBatch };
    for (const name of names) {
      const { engine, under } = this.client.get(name)!;
      const { text, parameterTypes } = engine;
      this.hidden.close(name);
      this.hidden.preparing(link, under, how, () =>
        // What is not run needs no text.
        this.hidden.parse({ name, text: this.isNested(name) ? '' : text, parameterTypes }, how),
      );
      if (isBatch) this.exported.set(name, engine);
    }
    if (names.length === 0) return undefined;
    if (!isBatch) this.hidden.sync();
    return () => {
      for (const name of names) {
        this.exported.delete(name);
        // DEALLOCATE and PREPARE in one Query: it is the client's own now.
        if (!this.client.ofSql.has(name)) this.withdraw(link, name);
      }
      this.hidden.sync();
    };
  }

  /** A text is about to be prepared or described: what it gives is what those give that it runs. */
  addPrepared(link: EngineLink, { names, statements }: ClassifiedText): void {
    if (!names) return;
    this.add(
      link,
      { executed: statements.flatMap(({ executed }) => executed), deallocated: [] },
      true,
    );
  }

  /** The client closes it: the engine's goes first. */
  close(link: EngineLink, name: string): void {
    if (this.exported.delete(name)) this.withdraw(link, name);
  }

  /** The engine has let go of it, or of all. */
  ended(name?: string): void {
    if (name === undefined) this.exported.clear();
    else this.exported.delete(name);
  }

  /** Before the Sync that ends it. */
  endOfBatch(link: EngineLink | undefined): void {
    if (link !== undefined) for (const name of this.exported.keys()) this.withdraw(link, name);
    if (this.exported.size > 0) this.exported.clear();
  }

  /**
   * It runs something by name itself. The engine never gets to know such a one by a name that SQL can say, so that none comes round to
   * itself (`RunsByName.fault`).
   */
  private isNested(name: string): boolean {
    return this.client.get(name)?.classified.statements.some(runsByName) === true;
  }

  private withdraw(link: EngineLink, name: string): void {
    this.hidden.close(name, (done) => {
      // It would be somebody else's to run.
      if (!done) link.isRetired = true;
    });
  }
}
