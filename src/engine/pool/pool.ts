import { HatiError } from '../../errors.ts';
import type { UpstreamConnection, UpstreamSession } from '../upstream.ts';
import { PoolCounts } from './counts.ts';
import { IdleLinks, type IdleLinksOptions } from './idle-links.ts';
import { EngineLink } from './link.ts';
import { Outage } from './outage.ts';
import { Partitions, ReportedParameters, type Partition } from './partitions.ts';
import { Waiters, type LinkRequest, type PoolFigures, type Wait } from './waiters.ts';

export type { Partition } from './partitions.ts';
export type { LinkRequest } from './waiters.ts';

export interface PoolOptions extends IdleLinksOptions {
  readonly open: (start: UpstreamSession) => Promise<UpstreamConnection>;
  /** Connections at the most. */
  readonly size: number;
  /** How long a session may wait for one. */
  readonly queueMs: number;
}

/** For whoever looks at a pool from outside. */
export interface PoolLook {
  readonly size: number;
  readonly links: ReadonlySet<EngineLink>;
  readonly idle: ReadonlySet<EngineLink>;
  readonly opening: number;
  readonly waiting: number;
  readonly longestWaitSeconds: number;
  /** The engine could not be reached when somebody tried last. */
  readonly isAway: boolean;
  readonly counts: PoolCounts;
}

const sweepMs = 5_000;
const stopMs = 5_000;
/** After the engine has said that it is full. */
const fullPauseMs = 100;

/**
 * Connections to one engine as one role, shared by the sessions of clients. A session holds one while it must and gives it
 * back between two transactions.
 *
 * Connections that began with the same settings make a partition, because only among those does RESET mean the same to
 * whoever holds them. All partitions together have the size of the pool; where it is reached, an idle connection of another
 * one makes room.
 */
export class EnginePool {
  private readonly options: PoolOptions;
  private readonly counts = new PoolCounts();
  private readonly idle: IdleLinks;
  private readonly links = new Set<EngineLink>();
  /** Being opened, or being made ready for the next one. */
  private busyPlaces = 0;
  private readonly waiters: Waiters;
  private readonly outage = new Outage();
  private readonly partitions = new Partitions();
  private readonly reported = new ReportedParameters();
  private readonly sweeper: NodeJS.Timeout;
  private isStopped = false;

  constructor(options: PoolOptions) {
    this.options = options;
    this.idle = new IdleLinks(options);
    const { size, queueMs } = options;
    this.waiters = new Waiters({ size, queueMs, counts: this.counts, figures: () => this.figures });
    this.sweeper = setInterval(
      () => this.idle.closeStale(),
      Math.min(sweepMs, options.idleMs),
    ).unref();
  }

  /** The engine can be reached, as far as is known. */
  get isReachable(): boolean {
    return !this.outage.isOn && !this.isStopped;
  }

  /** Sessions and lanes that wait for a connection. */
  get waiting(): number {
    return this.waiters.count;
  }

  get figures(): PoolFigures {
    const { size } = this.options;
    return {
      size,
      open: this.links.size,
      idle: this.idle.count,
      waiting: this.waiters.count,
    };
  }

  look(): PoolLook {
    return {
      size: this.options.size,
      links: this.links,
      idle: this.idle.all,
      opening: this.busyPlaces,
      waiting: this.waiters.count,
      longestWaitSeconds: this.waiters.longestSeconds,
      isAway: this.outage.isOn,
      counts: this.counts,
    };
  }

  partition(start: UpstreamSession): Partition {
    return this.partitions.of(start);
  }

  /** What the engine reports to a session that begins like this; asks it when that is not known. */
  async parameters(request: LinkRequest): Promise<ReadonlyMap<string, string>> {
    const { partition } = request;
    const known = this.reported.of(partition);
    if (known !== undefined) return known;
    const link = await this.take(request);
    this.give(link);
    return this.reported.of(partition) ?? link.parameters;
  }

  /** A connection, at once where one is idle. Rejects with `pool_exhausted`, or with what stands between us and the engine. */
  take(request: LinkRequest): EngineLink | Promise<EngineLink> {
    this.counts.asked += 1;
    const idle = this.idle.take(request);
    if (idle !== undefined) return idle;
    if (this.isStopped) return Promise.reject(new HatiError('shutting_down'));
    const outage = this.outage.current();
    if (outage !== undefined) return Promise.reject(outage);
    const room = this.room();
    return room === undefined ? this.waiters.add(request) : this.openFor(request, room);
  }

  /** The link is between two transactions, and whoever had it does not touch it any more. */
  give(link: EngineLink): void {
    link.letGo();
    if (!link.mustSettleCancels) {
      this.offer(link);
      return;
    }
    // A cancel that is on its way would hit whoever is next.
    link.settleCancels().then(
      () => this.offer(link),
      () => this.offer(link),
    );
  }

  /** Nobody may use these any more. */
  closeIdle(partition: Partition): void {
    this.idle.closeOf(partition);
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.sweeper);
    this.waiters.refuseAll(new HatiError('shutting_down'));
    const closed = [...this.links].map((link) => link.closed());
    this.idle.closeAll();
    // Who holds one has ended by now; what is left does not listen.
    const left = setTimeout(() => this.links.forEach((link) => link.destroy()), stopMs);
    await Promise.all(closed);
    clearTimeout(left);
  }

  /** Where one more may be opened; an idle one of another partition makes room. */
  private room(): Room | undefined {
    if (this.links.size + this.busyPlaces < this.options.size) return {};
    const evicted = this.idle.takeOldest();
    return evicted && { evicted };
  }

  private async openFor(request: LinkRequest, { evicted }: Room, wait?: Wait): Promise<EngineLink> {
    let isWaiting = false;
    this.busyPlaces += 1;
    if (evicted !== undefined) {
      evicted.close();
      await evicted.closed();
    }
    try {
      return this.add(await this.connect(request.partition), request);
    } catch (error) {
      this.counts.notOpened += 1;
      const isAway = error instanceof HatiError && error.code === 'engine_unreachable';
      if (isAway && request.isSpare !== true) this.failed(error);
      const isFull = error instanceof HatiError && error.code === 'engine_full';
      if (!isFull || this.links.size === 0) throw error;
      // One of ours becomes free, or the engine has ended one that we have closed.
      isWaiting = true;
      setTimeout(() => this.serve(), fullPauseMs).unref();
    } finally {
      this.busyPlaces -= 1;
      // A place that came to nothing is the next one's.
      if (!isWaiting) queueMicrotask(() => this.serve());
    }
    return await this.waiters.add(request, wait);
  }

  private async connect({ start }: Partition): Promise<UpstreamConnection> {
    const { open, check } = this.options;
    const upstream = await open(start);
    try {
      check(upstream.parameters);
    } catch (error) {
      upstream.close();
      throw error;
    }
    return upstream;
  }

  private add(upstream: UpstreamConnection, { partition, group }: LinkRequest): EngineLink {
    this.outage.isOver();
    const parameters = this.reported.note(partition, upstream.parameters);
    const link = new EngineLink({
      upstream: { ...upstream, parameters },
      partition,
      counts: this.counts,
      onClosed: () => this.closed(link),
    });
    link.group = group;
    this.links.add(link);
    this.counts.opened += 1;
    return link;
  }

  /** The engine can't be reached: who waits hears it now. */
  private failed(error: HatiError): void {
    this.outage.began(error);
    this.waiters.refuseAll(error);
  }

  private offer(link: EngineLink): void {
    if (this.isStopped || !this.idle.isFit(link)) link.close();
    else if (this.links.has(link)) this.idle.add(link);
    this.serve();
  }

  /** Gives away what there is to whoever waits. */
  private serve(): void {
    while (this.waiters.count > 0) {
      const isFull = this.links.size + this.busyPlaces >= this.options.size;
      if (isFull && this.idle.count === 0) return;
      const again = isFull ? this.nextAgain() : undefined;
      const { request, wait, grant } = again ?? this.waiters.next()!;
      const idle = this.idle.take(request);
      if (idle === undefined) {
        grant(this.openFor(request, this.room()!, wait));
        continue;
      }
      idle.turns = again === undefined ? 0 : idle.turns + 1;
      idle.group = request.group;
      grant(idle);
    }
  }

  /**
   * Keys take turns, and a connection fits one of them: to give it to another costs a handshake. So several turns of a key on a
   * connection follow each other.
   */
  private nextAgain(): ReturnType<Waiters['nextFor']> {
    const link = this.idle.newest;
    const isFit = link?.isUsable === true && link.turns < turnsInARow;
    return isFit ? this.waiters.nextFor(link) : undefined;
  }

  private closed(link: EngineLink): void {
    this.idle.delete(link);
    if (this.links.delete(link)) this.serve();
  }
}

/** On one connection, of one key, while others wait. */
const turnsInARow = 16;

/** A place for a connection: a free one, or that of a connection which has to be closed first. */
interface Room {
  readonly evicted?: EngineLink;
}
