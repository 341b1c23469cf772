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
/** After one could not be opened. */
const pauseMs = 1_000;

interface Lane {
  readonly links: Set<LaneLink>;
  isOpening: boolean;
  pausedUntil: number;
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
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(options: LanesOptions) {
    this.options = options;
  }

  /** A connection for one more statement; undefined where there is none just now: then one is opened for the next. */
  place(kind: LaneKind): LaneLink | undefined {
    let lane = this.lanes.get(kind.key);
    if (lane === undefined) {
      lane = { links: new Set(), isOpening: false, pausedUntil: 0 };
      this.lanes.set(kind.key, lane);
    }
    let best: LaneLink | undefined;
    for (const link of lane.links)
      if (link.hasRoom && (best === undefined || link.length < best.length)) best = link;
    const wantsMore = best === undefined || best.length >= longLine;
    if (wantsMore && this.mayOpen(lane)) void this.open(kind, lane);
    return best;
  }

  /** Nobody rides any more. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
    for (const { links } of this.lanes.values()) for (const link of links) link.close('idle');
  }

  private mayOpen(lane: Lane): boolean {
    const { pool, poolSize } = this.options;
    return (
      !lane.isOpening &&
      !this.isStopped &&
      lane.links.size < mostOfLane &&
      this.connections < Math.floor(poolSize / 2) &&
      pool.figures.waiting === 0 &&
      performance.now() >= lane.pausedUntil
    );
  }

  private async open({ key, partition, settings }: LaneKind, lane: Lane): Promise<void> {
    const { pool } = this.options;
    let laneLink: LaneLink | undefined;
    lane.isOpening = true;
    this.connections += 1;
    const hold: EngineHold = new EngineHold({
      pool,
      state: new SessionState(settings, [], () => undefined),
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
        onData: (chunk) => laneLink?.onData(chunk),
        onGone: () => laneLink?.onGone(),
      },
      refusesPins: false,
      isWhole: () => true,
      onDefined: () => undefined,
      onAttached: () => undefined,
      onUnrestorable: () => undefined,
    });
    const failed = (): void => {
      this.connections -= 1;
      lane.pausedUntil = performance.now() + pauseMs;
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
        lane.links.delete(added);
      },
      onEmpty: () => {
        if (isGivenBack) return;
        isGivenBack = true;
        this.connections -= 1;
        hold.atRest();
        this.forget(key, lane);
      },
    });
    laneLink = added;
    lane.links.add(added);
    if (this.isStopped) added.close('idle');
    else this.watch();
  }

  private forget(key: string, lane: Lane): void {
    if (lane.links.size === 0 && !lane.isOpening && performance.now() >= lane.pausedUntil)
      this.lanes.delete(key);
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
        if (link.length === 0) {
          if (isWanted || now - link.since > idleMs) link.close(isWanted ? 'wanted' : 'idle');
        } else if (now - link.since > slowMs) link.close('slow');
        else if (isWanted && now - link.openedAt > wantedMs) link.close('wanted');
      }
    return [...this.lanes.values()].some(({ links }) => links.size > 0);
  }
}
