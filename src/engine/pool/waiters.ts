import { HatiError } from '../../errors.ts';
import type { PoolCounts } from './counts.ts';
import type { EngineLink } from './link.ts';
import type { Partition } from './partitions.ts';
import { WaitingLine, type Priority, type Waiting } from './waiting-line.ts';

export interface LinkRequest {
  readonly partition: Partition;
  /** The same for all requests of a session. */
  readonly holder: object;
  readonly group: string;
  readonly priority: () => Priority;
  /** Nobody has a statement in hand for it: that it can't be had is no news for those who have. */
  readonly isSpare?: boolean;
  /** The session has ended meanwhile. */
  readonly isOver: () => boolean;
  /** Told how to give up; with undefined once it waits no more. */
  readonly onQueued: (stop: ((error: HatiError) => void) | undefined) => void;
  /** Told when it has waited for a while. */
  readonly onWaiting: (pool: PoolFigures) => void;
}

export interface PoolFigures {
  readonly size: number;
  readonly open: number;
  readonly idle: number;
  readonly waiting: number;
}

/** What stays the same for who has to wait again. */
export interface Wait {
  /** By `performance.now()`. */
  readonly since: number;
  /** That it has waited for a while. */
  isTold: boolean;
}

interface Waiter extends Waiting {
  readonly wait: Wait;
  readonly request: LinkRequest;
  readonly grant: (link: EngineLink | Promise<EngineLink>) => void;
  readonly refuse: (error: HatiError) => void;
}

export interface WaitersOptions {
  /** Of the pool, for who waits in vain. */
  readonly size: number;
  readonly queueMs: number;
  readonly counts: PoolCounts;
  readonly figures: () => PoolFigures;
}

const noticeAfterMs = 5_000;

/** Sessions that wait for a connection of a pool, none for longer than they may. */
export class Waiters {
  private readonly options: WaitersOptions;
  private readonly line = new WaitingLine<Waiter>();

  constructor(options: WaitersOptions) {
    this.options = options;
  }

  get count(): number {
    return this.line.length;
  }

  get longestSeconds(): number {
    const now = performance.now();
    return (
      this.line.all.reduce((longest, { wait }) => Math.max(longest, now - wait.since), 0) / 1_000
    );
  }

  /**
   * Rejects with `pool_exhausted`, with what the session gave up for, or with what `refuseAll` is given.
   * @param wait of who has waited before: the time counts on.
   */
  add(
    request: LinkRequest,
    wait: Wait = { since: performance.now(), isTold: false },
  ): Promise<EngineLink> {
    const { queueMs, size, counts } = this.options;
    const began = performance.now();
    const waited = began - wait.since;
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(limit);
        clearTimeout(notice);
        request.onQueued(undefined);
        counts.waits.observe((performance.now() - began) / 1_000);
        act();
      };
      const waiter: Waiter = {
        request,
        wait,
        group: request.group,
        priority: request.priority(),
        grant: (link) => settle(() => resolve(link)),
        refuse: (error) => settle(() => reject(error)),
      };
      const giveUp = (error: HatiError): void => {
        if (this.line.delete(waiter)) waiter.refuse(error);
      };
      const limit = setTimeout(() => {
        counts.timedOut += 1;
        giveUp(new HatiError('pool_exhausted', { params: { size, seconds: queueMs / 1_000 } }));
      }, queueMs - waited);
      const notice = setTimeout(() => {
        if (!wait.isTold) request.onWaiting(this.options.figures());
        wait.isTold = true;
      }, noticeAfterMs - waited);
      request.onQueued(giveUp);
      this.line.add(waiter);
    });
  }

  /** Who is next; to be granted a connection. */
  next(): Waiter | undefined {
    return this.line.shift();
  }

  /** The same, if it can use this connection as it is. */
  nextFor({ group, partition }: EngineLink): Waiter | undefined {
    const waiter = group === undefined ? undefined : this.line.firstOf(group);
    if (waiter?.request.partition.key !== partition) return undefined;
    this.line.delete(waiter);
    return waiter;
  }

  refuseAll(error: HatiError): void {
    for (const waiter of this.line.clear()) waiter.refuse(error);
  }
}
