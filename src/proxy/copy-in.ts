import { HatiError } from '../errors.ts';
import type { FrontendMessage } from '../wire/framing.ts';
import { errorField } from '../wire/error-fields.ts';
import { sync } from '../wire/frontend-messages.ts';
import { Frontend } from '../wire/protocol.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { Outlets, Turns } from './turns.ts';

export interface CopyInParts {
  readonly owed: ResponseQueue;
  readonly outlets: Outlets;
  readonly turns: Turns;
}

/** PostgreSQL ignores any number of them; nobody has a use for more than one. */
const mostWaiting = 1_000;

/**
 * The messages of a client while the engine reads the data of a COPY.
 *
 * An engine in copy-in mode reads a Sync and ignores it; once a row was bad it is not in that mode any more, and each Sync
 * counts. Which of the two a Sync will meet can't be known when it is sent. So none is sent: before the first data it would be
 * ignored and is dropped; after that it waits for the end of the copy, which makes it ignored, or for the error, which makes
 * it count.
 */
export class CopyIn {
  private readonly parts: CopyInParts;
  private hasData = false;
  /** Syncs that came behind data. */
  private waiting = 0;

  constructor(parts: CopyInParts) {
    this.parts = parts;
  }

  take({ type, raw }: FrontendMessage): Promise<void> | undefined {
    const { owed, outlets } = this.parts;
    switch (type) {
      case Frontend.CopyData:
        this.hasData = true;
        outlets.toEngine(raw);
        return undefined;
      case Frontend.CopyDone:
      case Frontend.CopyFail:
        owed.copyEnded();
        outlets.toEngine(raw);
        if (this.waiting > 0) return this.outcome();
        this.reset();
        // The text may hold another COPY.
        return owed.isQuery ? owed.copyKnown() : undefined;
      case Frontend.Sync:
        if (this.hasData) this.waiting += 1;
        if (this.waiting > mostWaiting)
          throw new HatiError('protocol_violation', {
            params: { reason: `more than ${mostWaiting} Sync messages during COPY FROM STDIN` },
          });
        return undefined;
      case Frontend.Flush:
        return undefined;
      case Frontend.Terminate:
        outlets.goodbye();
        return undefined;
      default:
        throw new HatiError('protocol_violation', {
          params: { reason: `message type ${type} is not expected during COPY FROM STDIN` },
        });
    }
  }

  /** A row may have been bad, and then the Syncs behind it count. */
  private async outcome(): Promise<void> {
    const { owed, turns } = this.parts;
    await (owed.isQuery ? owed.copyKnown() : turns.caughtUp());
    this.reset();
  }

  /** An error has ended it: from here on Sync counts. So do those that came behind a bad row, but none that stood before CopyFail. */
  broken(error: Buffer): void {
    const waiting = isOfCopyFail(error) ? 0 : this.waiting;
    this.reset();
    for (let count = 0; count < waiting; count += 1) this.parts.turns.forward(sync, 'sync');
  }

  private reset(): void {
    this.hasData = false;
    this.waiting = 0;
  }
}

/** The engine read all up to CopyFail as part of the copy. */
function isOfCopyFail(error: Buffer): boolean {
  return errorField(error, 'C') === '57014' && errorField(error, 'R') === 'CopyGetData';
}
