import type { Socket } from 'node:net';
import { HatiError } from '../errors.ts';
import { durationMs } from '../policy/setting-values.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import type { ResponseQueue } from './response-queue.ts';

const setting = 'idle_in_transaction_session_timeout';

interface WatchedSession {
  readonly client: Socket;
  readonly owed: ResponseQueue;
  readonly ending: { readonly isRelaying: boolean };
  readonly reader: { readonly isBusy: boolean };
  end(error: HatiError): Promise<void>;
}

/**
 * Ends a session that leaves an extended batch without Sync and says no more. PostgreSQL's own timeout for idle
 * transactions begins at ReadyForQuery only, so such a batch would keep its snapshot and its locks for ever. The limit is
 * the session's own for idle transactions.
 */
export class BatchDeadline {
  private readonly initialMs: number | undefined;
  private readonly session: WatchedSession;
  private limitMs: number | undefined;
  private timer: NodeJS.Timeout | undefined;

  /** @param settings that the session begins with; without one of that name there is no limit. */
  constructor(
    settings: readonly (readonly [name: string, value: string])[],
    session: WatchedSession,
  ) {
    const value = settings.findLast(([name]) => name === setting)?.[1];
    this.initialMs = value === undefined ? undefined : durationMs(value);
    this.limitMs = this.initialMs;
    this.session = session;
  }

  /** The text is on its way to the engine. */
  onText({ statements }: ClassifiedText): void {
    if (this.initialMs === undefined) return;
    for (const { settings, acts } of statements) {
      if (acts.some((act) => act.class === 'reset')) this.limitMs = this.initialMs;
      for (const { name, operation, values } of settings) {
        if (name !== setting || operation === 'show') continue;
        const value = values?.[0];
        this.limitMs = value === undefined ? this.initialMs : durationMs(value);
      }
    }
  }

  /** The client has said what it had to say; `isOpen` when a batch waits for its Sync. */
  watch(isOpen: boolean): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    if (!isOpen || this.limitMs === undefined) return;
    this.timer = setTimeout(() => this.expired(), this.limitMs).unref();
  }

  private expired(): void {
    const { ending, owed, reader, client } = this.session;
    if (!ending.isRelaying || !owed.isUnsynced) return;
    // It may still be at work, or its answers not read yet.
    if (owed.isEmpty && !reader.isBusy && !client.writableNeedDrain)
      void this.session.end(new HatiError('idle_batch'));
    else this.watch(true);
  }
}
