import type { EngineStatement } from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import {
  underUnknown,
  type Batches,
  type ClientStatements,
  type Preparation,
  type Undo,
} from './client-statements.ts';
import type { ExportedStatements } from './exported-statements.ts';
import type { HiddenMessages } from './hidden-messages.ts';
import { nothing } from './expected.ts';
import type { Turns } from './turns.ts';

/** Its message, and what is known of it. */
export interface UnnamedParse {
  readonly raw: Buffer;
  readonly classified: ClassifiedText;
  readonly standIn: EngineStatement | undefined;
}

export interface EngineUnnamedStatementParts {
  readonly turns: Turns;
  readonly hidden: HiddenMessages;
  readonly exported: ExportedStatements;
  readonly client: ClientStatements;
  readonly batches: Batches;
  /** What a statement is prepared under just now. */
  readonly preparation: (link: EngineLink) => Preparation;
}

/** Sees to it that the unnamed statement of the connection is the client's, before what needs it is sent. */
export class EngineUnnamedStatement {
  private readonly parts: EngineUnnamedStatementParts;

  constructor(parts: EngineUnnamedStatementParts) {
    this.parts = parts;
  }

  /** The client's Parse without a name. */
  parse(link: EngineLink, message: UnnamedParse, settle: (done: boolean) => void): void {
    const { turns, client, exported } = this.parts;
    link.counts.prepared.first += 1;
    exported.addPrepared(link, message.classified);
    const settled = this.replaced(link, message);
    link.statements.unnamed = client.unnamed;
    turns.forward(message.raw, {
      of: 'parse',
      settle: (done, { isDiscarded }) => {
        if (!done) link.statements.unnamed = undefined;
        settled(done, isDiscarded);
        settle(done);
      },
    });
  }

  /** The client has another one. @returns to be told whether it came to be. */
  replaced(
    link: EngineLink,
    { raw, classified, standIn }: UnnamedParse,
  ): (done: boolean, isDiscarded: boolean) => void {
    const { client, batches, preparation } = this.parts;
    const under = preparation(link).inForce ?? underUnknown;
    // A copy: the chunk that it came in is much larger.
    const unnamed = { classified, parse: Buffer.from(raw), under, ...(standIn && { standIn }) };
    const before = client.unnamed;
    client.unnamed = unnamed;
    client.changing('', batches);
    return (done, isDiscarded) => {
      // One that fails takes the one before with it; one that is never looked at does not.
      if (!done && client.unnamed === unnamed) client.unnamed = isDiscarded ? before : undefined;
    };
  }

  /** Something is about to use it. @returns false when the client has none. */
  ensure(link: EngineLink): boolean {
    const { turns, hidden, client } = this.parts;
    const { unnamed } = client;
    if (unnamed === undefined) return false;
    if (link.statements.unnamed === unnamed) return true;
    link.counts.prepared.again += 1;
    link.statements.unnamed = unnamed;
    hidden.preparing(link, unnamed.under, {}, () =>
      turns.forward(unnamed.parse, {
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
  end(link: EngineLink): Undo {
    const { client, batches } = this.parts;
    link.statements.unnamed = undefined;
    return client.endUnnamed(batches);
  }
}
