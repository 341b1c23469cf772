import type { EnginePool, Partition } from '../../engine/pool/pool.ts';
import { EngineHold } from '../engine-hold.ts';
import { SessionState } from '../session-state.ts';
import { LaneCounts, type LaneEnd } from './counts.ts';
import { LaneLink } from './lane-link.ts';

export interface LanesOptions {
  readonly pool: EnginePool;
  /** Connections of the pool. */
  readonly poolSize: number;
}

/** Who may ride together: sessions that began alike and have set the same. */
export interface LaneKind {
  readonly key: string;
  readonly partition: Partition;
  readonly settings: ReadonlyMap<string, string>;
}

/** Connections of one lane. */
const mostOfLane = 2;
/** A second one comes when so many are in line. */
const longLine = 4;
const tickMs = 2;
/** Whoever is at work for longer holds up those behind it. */
const slowMs = 20;
const idleMs = 100;
/** While sessions wait for connections of their own, a lane has one for so long. */
const wantedMs = 250;
/** Then it goes back to the pool, which looks how old it is. */
const longestMs = 60_000;
/** After one could not be opened. */
const pauseMs = 1_000;

interface Lane {
  readonly links: Set<LaneLink>;
  isOpening: boolean;
}

/**
 * The fast lanes of a pool: short reads of different sessions, back to back on few connections. A lane exists while it is used. Not
 * more than half of the pool's connections are in lanes.
 */
export class Lanes {
  readonly counts = new LaneCounts();
  private readonly options: LanesOptions;
  private readonly lanes = new Map<string, Lane>();
  /** Of the pool, in lanes. */
  connections = 0;
  private pausedUntil = 0;
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(options: LanesOptions) {
    this.options = options;
  }

  /** A connection for one more statement; undefined where there is none just now: then one is opened for the next. */
  place(kind: LaneKind): LaneLink | undefined {
    const lane = this.lanes.get(kind.key) ?? { links: new Set(), isOpening: false };
    let best: LaneLink | undefined;
    let open = 0;
    for (const link of lane.links) {
      if (link.isOpen) open += 1;
      if (link.hasRoom && (best === undefined || link.length < best.length)) best = link;
    }
    const wantsMore = best === undefined || best.length >= longLine;
    if (wantsMore && open < mostOfLane && this.mayOpen(lane)) {
      this.lanes.set(kind.key, lane);
      lane.isOpening = true;
      // Who asks takes an idle connection first, where there is no place for it yet.
      setImmediate(() => void this.open(kind, lane));
    }
    return best;
  }

  /** Nobody rides any more. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
    for (const { links } of this.lanes.values()) for (const link of links) link.retire('idle');
  }

  private mayOpen(lane: Lane): boolean {
    const { pool, poolSize } = this.options;
    return (
      !lane.isOpening &&
      !this.isStopped &&
      this.connections < Math.floor(poolSize / 2) &&
      // Somebody with a statement in hand finds out whether it can be reached again.
      pool.isCalm &&
      performance.now() >= this.pausedUntil
    );
  }

  private async open({ key, partition, settings }: LaneKind, lane: Lane): Promise<void> {
    const { pool } = this.options;
    const riders: { link?: LaneLink } = {};
    this.connections += 1;
    const hold: EngineHold = new EngineHold({
      pool,
      state: new SessionState(settings, [], { pinned: () => undefined }),
      request: {
        partition,
        holder: lane,
        group: 'lanes',
        priority: () => 'low',
        isOver: () => this.isStopped,
        onQueued: () => undefined,
        onWaiting: () => undefined,
      },
      receiver: {
        onData: (chunk) => riders.link?.onData(chunk),
        onGone: () => riders.link?.onGone(),
      },
      refusesPins: false,
      isWhole: () => true,
      onDefined: () => undefined,
      onAttached: () => undefined,
      onUnrestorable: () => undefined,
    });
    const failed = (): void => {
      this.connections -= 1;
      this.pausedUntil = performance.now() + pauseMs;
      this.forget(key, lane);
    };
    try {
      await hold.ready();
    } catch {
      lane.isOpening = false;
      failed();
      return;
    }
    lane.isOpening = false;
    const { link } = hold;
    if (link === undefined) {
      failed();
      return;
    }
    let isGivenBack = false;
    const added = new LaneLink({
      link,
      counts: this.counts,
      onClosed: (reason: LaneEnd) => {
        this.counts.ended[reason] += 1;
      },
      onEmpty: () => {
        if (isGivenBack) return;
        isGivenBack = true;
        lane.links.delete(added);
        this.connections -= 1;
        hold.atRest();
        this.forget(key, lane);
      },
    });
    riders.link = added;
    lane.links.add(added);
    if (this.isStopped) added.retire('idle');
    else this.watch();
  }

  private forget(key: string, lane: Lane): void {
    if (lane.links.size === 0 && !lane.isOpening) this.lanes.delete(key);
  }

  private watch(): void {
    if (this.timer !== undefined || this.isStopped) return;
    this.timer = setTimeout(() => {
      // What has come meanwhile is read first: we may have been the slow ones.
      setImmediate(() => {
        this.timer = undefined;
        if (this.look()) this.watch();
      });
    }, tickMs).unref();
  }

  /** @returns whether there is anything to look at. */
  private look(): boolean {
    const now = performance.now();
    const isWanted = this.options.pool.figures.waiting > 0;
    for (const { links } of this.lanes.values())
      for (const link of links) {
        const age = now - link.openedAt;
        if (link.length === 0 && now - link.since > idleMs) link.retire('idle');
        else if (link.length > 0 && now - link.since > slowMs) link.close('slow');
        else if (isWanted && (link.length === 0 || age > wantedMs)) link.retire('wanted');
        else if (age > longestMs) link.retire('old');
      }
    return [...this.lanes.values()].some(({ links }) => links.size > 0);
  }
}
