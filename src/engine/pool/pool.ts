import { HatiError } from '../../errors.ts';
import type { Logger } from 'pino';
import { LRUCache } from 'lru-cache';
import type { UpstreamConnection, UpstreamSession } from '../upstream.ts';
import { PoolCounts } from './counts.ts';
import { EngineLink } from './link.ts';
import { Outage } from './outage.ts';
import { Waiters, type LinkRequest, type PoolFigures } from './waiters.ts';

export type { LinkRequest } from './waiters.ts';

/**
 * Connections to one engine as one role, shared by the sessions of clients. A session holds one while it must and gives it
 * back between two transactions.
 *
 * Connections that began with the same settings make a partition, because only among those does RESET mean the same to
 * whoever holds them. All partitions together have the size of the pool; where it is reached, an idle connection of another
 * one makes room.
 */
export interface PoolOptions {
  readonly open: (start: UpstreamSession) => Promise<UpstreamConnection>;
  /** Throws when the engine's settings can't be worked with. */
  readonly check: (parameters: ReadonlyMap<string, string>) => void;
  /** Connections at the most. */
  readonly size: number;
  /** How long a session may wait for one. */
  readonly queueMs: number;
  readonly idleMs: number;
  /** An older one is closed when it comes back. */
  readonly lifetimeMs: number;
  readonly log: Logger;
}

export interface Partition {
  readonly key: string;
  readonly start: UpstreamSession;
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

const mostPartitionsRemembered = 1_000;
const sweepMs = 5_000;
const stopMs = 5_000;
/** After the engine has said that it is full. */
const fullPauseMs = 100;

export class EnginePool {
  private readonly options: PoolOptions;
  private readonly counts = new PoolCounts();
  /** Oldest first. */
  private readonly idle: EngineLink[] = [];
  private readonly links = new Set<EngineLink>();
  /** Being opened, or being made ready for the next one. */
  private busyPlaces = 0;
  private readonly waiters: Waiters;
  private readonly outage = new Outage();
  private readonly known = new LRUCache<string, ReadonlyMap<string, string>>({
    max: mostPartitionsRemembered,
  });
  private readonly sweeper: NodeJS.Timeout;
  private isStopped = false;

  constructor(options: PoolOptions) {
    this.options = options;
    const { size, queueMs } = options;
    this.waiters = new Waiters({ size, queueMs, counts: this.counts, figures: () => this.figures });
    this.sweeper = setInterval(() => this.sweep(), Math.min(sweepMs, options.idleMs)).unref();
  }

  get figures(): PoolFigures {
    const { size } = this.options;
    return {
      size,
      open: this.links.size,
      idle: this.idle.length,
      waiting: this.waiters.count,
    };
  }

  look(): PoolLook {
    return {
      size: this.options.size,
      links: this.links,
      idle: new Set(this.idle),
      opening: this.busyPlaces,
      waiting: this.waiters.count,
      longestWaitSeconds: this.waiters.longestSeconds,
      isAway: this.outage.isOn,
      counts: this.counts,
    };
  }

  partition(start: UpstreamSession): Partition {
    return { key: JSON.stringify([start.applicationName, start.settings]), start };
  }

  /** What the engine reports to a session that begins like this; asks it when that is not known. */
  async parameters(request: LinkRequest): Promise<ReadonlyMap<string, string>> {
    const { key } = request.partition;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const link = await this.take(request);
    this.give(link);
    return this.known.get(key) ?? link.parameters;
  }

  /** A connection, at once where one is idle. Rejects with `pool_exhausted`, or with what stands between us and the engine. */
  take(request: LinkRequest): EngineLink | Promise<EngineLink> {
    this.counts.asked += 1;
    const idle = this.takeIdle(request);
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
  closeIdle({ key }: Partition): void {
    for (const link of this.idle.filter(({ partition }) => partition === key)) link.close();
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.sweeper);
    this.waiters.refuseAll(new HatiError('shutting_down'));
    const closed = [...this.links].map((link) => link.closed());
    for (const link of [...this.idle]) link.close();
    // Who holds one has ended by now; what is left does not listen.
    const left = setTimeout(() => this.links.forEach((link) => link.destroy()), stopMs);
    await Promise.all(closed);
    clearTimeout(left);
  }

  private takeIdle({ partition, holder }: LinkRequest): EngineLink | undefined {
    let found = -1;
    for (let at = this.idle.length - 1; at >= 0; at -= 1) {
      const link = this.idle[at]!;
      if (link.partition !== partition.key || !link.isUsable || !this.isSafe(link)) continue;
      // Whoever had it before need not have it prepared.
      if (link.lastHolder === holder) {
        found = at;
        break;
      }
      if (found < 0 || (this.idle[found]!.left !== 'nothing' && link.left === 'nothing'))
        found = at;
      if (this.idle.length - at > lookBack) break;
    }
    return found < 0 ? undefined : this.idle.splice(found, 1)[0];
  }

  /** Where one more may be opened; an idle one of another partition makes room. */
  private room(): Room | undefined {
    if (this.links.size + this.busyPlaces < this.options.size) return {};
    const evicted = this.idle.shift();
    return evicted && { evicted };
  }

  private async openFor(request: LinkRequest, { evicted }: Room): Promise<EngineLink> {
    const { open, check } = this.options;
    const { partition } = request;
    let isWaiting = false;
    this.busyPlaces += 1;
    if (evicted !== undefined) {
      evicted.close();
      await evicted.closed();
    }
    try {
      const upstream = await open(partition.start);
      try {
        check(upstream.parameters);
      } catch (error) {
        upstream.close();
        throw error;
      }
      this.outage.isOver();
      // One map for all that were told the same, so that whoever knows it need not compare.
      const parameters = sameOr(this.known.get(partition.key), upstream.parameters);
      this.known.set(partition.key, parameters);
      const link = new EngineLink({
        upstream: { ...upstream, parameters },
        partition,
        counts: this.counts,
        onClosed: () => this.closed(link),
      });
      link.group = request.group;
      this.links.add(link);
      this.counts.opened += 1;
      return link;
    } catch (error) {
      this.counts.notOpened += 1;
      if (error instanceof HatiError && error.code === 'engine_unreachable') this.failed(error);
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
    return await this.waiters.add(request);
  }

  /** The engine can't be reached: who waits hears it now. */
  private failed(error: HatiError): void {
    this.outage.began(error);
    this.waiters.refuseAll(error);
  }

  private offer(link: EngineLink): void {
    const isOld = Date.now() - link.openedAt > this.options.lifetimeMs;
    const isWorn = isOld || link.statements.areWorn;
    if (isWorn || this.isStopped || !link.isUsable || !this.isSafe(link)) link.close();
    else if (this.links.has(link)) this.idle.push(link);
    this.serve();
  }

  /** Whether it still has the settings without which nobody may use it; looked at where one has changed. */
  private isSafe(link: EngineLink): boolean {
    if (link.checked === link.parameters) return true;
    try {
      this.options.check(link.parameters);
    } catch {
      return false;
    }
    link.checked = link.parameters;
    return true;
  }

  /** Gives away what there is to whoever waits. */
  private serve(): void {
    while (this.waiters.count > 0) {
      const isFull = this.links.size + this.busyPlaces >= this.options.size;
      if (isFull && this.idle.length === 0) return;
      const again = isFull ? this.nextAgain() : undefined;
      const { request, grant } = again ?? this.waiters.next()!;
      const idle = this.takeIdle(request);
      if (idle === undefined) {
        grant(this.openFor(request, this.room()!));
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
    const link = this.idle.at(-1);
    const isFit = link?.isUsable === true && link.turns < turnsInARow;
    return isFit ? this.waiters.nextFor(link) : undefined;
  }

  private closed(link: EngineLink): void {
    const at = this.idle.indexOf(link);
    if (at >= 0) this.idle.splice(at, 1);
    if (this.links.delete(link)) this.serve();
  }

  private sweep(): void {
    const now = Date.now();
    for (const link of [...this.idle]) {
      const isOld = now - link.openedAt > this.options.lifetimeMs;
      if (isOld || now - link.idleSince > this.options.idleMs) link.close();
    }
  }
}

/** On one connection, of one key, while others wait. */
const turnsInARow = 16;

/** An idle link that suits better is looked for among so many. */
const lookBack = 16;

function sameOr(
  known: ReadonlyMap<string, string> | undefined,
  found: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const isSame =
    known?.size === found.size && [...found].every(([name, value]) => known.get(name) === value);
  return isSame ? known : found;
}

/** A place for a connection: a free one, or that of a connection which has to be closed first. */
interface Room {
  readonly evicted?: EngineLink;
}
