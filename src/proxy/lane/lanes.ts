import { LRUCache } from 'lru-cache';
import type { Partition } from '../../engine/pool/partitions.ts';
import type { EnginePool } from '../../engine/pool/pool.ts';
import { EngineHold } from '../engine-hold.ts';
import { SessionState } from '../session-state.ts';
import { LaneCounts, type LaneEnd } from './counts.ts';
import { laneKinds, type LaneKind, type LaneKinds } from './kinds.ts';
import { LaneLink } from './lane-link.ts';

export interface LanesOptions {
  readonly pool: EnginePool;
  /** Connections of the pool. */
  readonly poolSize: number;
}

/** Connections of one lane. */
const mostOfLane = 2;
/** The same, with those that are held up. */
const mostHeldUp = 4;
/** A second one comes when so many are in line. */
const longLine = 4;
const tickMs = 2;
/** Whoever is at work for longer holds up those behind it: they go elsewhere. */
const slowMs = 20;
/** Then it is not the machine that was busy with something else: its text runs by itself. */
const muchTooSlowMs = 60;
/** How long it is remembered that such moments are usual just now. */
const rememberedMs = 30_000;
const idleMs = 100;
/** While sessions wait for connections of their own, a lane has one for so long. */
const wantedMs = 250;
/** Then it goes back to the pool, which looks how old it is. */
const longestMs = 60_000;
/** After one could not be opened. */
const pauseMs = 1_000;
/** A lane is for several: it opens where another session asks so soon behind one. */
const meetMs = idleMs;
/** Kinds of which it is known who asked last. */
const mostAsked = 1_000;

/** A session that has a statement for a lane where there is no place. */
export interface Seeker {
  /** There may be a place now. @returns whether it still waits for one. */
  mayBoard(): boolean;
}

interface Lane {
  readonly links: Set<LaneLink>;
  readonly seekers: Set<Seeker>;
  isOpening: boolean;
}

/**
 * The fast lanes of a pool: short reads of different sessions, back to back on few connections. A lane exists while it is used. Not
 * more than half of the pool's connections are in lanes.
 *
 * Where all connections are in use, the first one of a lane is waited for like by any session; who has waited meanwhile with a
 * statement that may ride goes there then. While others wait, it goes back soon, to wait again behind them.
 */
export class Lanes {
  readonly counts = new LaneCounts();
  private readonly options: LanesOptions;
  private readonly lanes = new Map<string, Lane>();
  private readonly kinds = new WeakMap<Partition, WeakMap<LaneKind['settings'], LaneKinds>>();
  /** Of the pool, in lanes. */
  connections = 0;
  /** Of those, not there yet: the pool has none to give. */
  private waiting = 0;
  /** Who asked last, by kind. */
  private readonly asked = new LRUCache<string, { readonly by: number; readonly at: number }>({
    max: mostAsked,
  });
  private pausedUntil = 0;
  private patience = { ms: slowMs, until: Infinity };
  private timer: NodeJS.Timeout | undefined;
  private isStopped = false;

  constructor(options: LanesOptions) {
    this.options = options;
  }

  /** The same for all sessions that began alike and have set the same. */
  kindsOf(partition: Partition, settings: LaneKind['settings']): LaneKinds {
    let known = this.kinds.get(partition);
    if (known === undefined) this.kinds.set(partition, (known = new WeakMap()));
    let kinds = known.get(settings);
    if (kinds === undefined)
      known.set(settings, (kinds = laneKinds(this.options.pool, partition, settings)));
    return kinds;
  }

  /**
   * A connection for one more statement; undefined where there is none just now: then one is opened for the next.
   * @param by the number of the session
   */
  place(kind: LaneKind, by: number): LaneLink | undefined {
    const lane = this.lanes.get(kind.key) ?? newLane();
    let best: LaneLink | undefined;
    let open = 0;
    for (const link of lane.links) {
      if (link.isOpen && !link.isHeldUp) open += 1;
      if (link.hasRoom && (best === undefined || link.length < best.length)) best = link;
    }
    const wantsMore =
      open === 0 ? this.areSeveral(kind, by) : best === undefined || best.length >= longLine;
    if (wantsMore && open < mostOfLane && this.mayOpen(lane, open)) {
      this.lanes.set(kind.key, lane);
      lane.isOpening = true;
      // Who asks takes an idle connection first, where there is no place for it yet.
      setImmediate(() => void this.open(kind, lane));
    }
    return best;
  }

  /** It waits for a connection of its own, and would rather ride. */
  seek({ key }: LaneKind, seeker: Seeker): void {
    this.lanes.get(key)?.seekers.add(seeker);
  }

  /** Nobody rides any more. */
  stop(): void {
    this.isStopped = true;
    clearTimeout(this.timer);
    for (const { links } of this.lanes.values()) for (const link of links) link.retire('idle');
  }

  private areSeveral({ key }: LaneKind, by: number): boolean {
    const at = performance.now();
    const last = this.asked.get(key);
    this.asked.set(key, { by, at });
    return last !== undefined && last.by !== by && at - last.at < meetMs;
  }

  private mayOpen(lane: Lane, open: number): boolean {
    const { pool, poolSize } = this.options;
    return (
      !lane.isOpening &&
      !this.isStopped &&
      lane.links.size < mostHeldUp &&
      this.connections < Math.floor(poolSize / 2) &&
      // Somebody with a statement in hand finds out whether it can be reached again.
      pool.isReachable &&
      // A second one is not worth that others wait longer.
      (open === 0 || !this.areOthersWaiting) &&
      performance.now() >= this.pausedUntil
    );
  }

  /** Sessions wait for connections of their own. */
  private get areOthersWaiting(): boolean {
    return this.options.pool.waiting > this.waiting;
  }

  /** Who waits goes there, if there is a place. */
  private board({ seekers }: Lane): void {
    for (const seeker of seekers) if (!seeker.mayBoard()) seekers.delete(seeker);
  }

  private async open({ key, partition, settings, isBlind }: LaneKind, lane: Lane): Promise<void> {
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
        isSpare: true,
        priority: () => 'normal',
        isOver: () => this.isStopped,
        onQueued: (stop) => {
          this.waiting += stop === undefined ? -1 : 1;
        },
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
      // Many will be on it.
      await hold.link?.check();
    } catch {
      hold.atRest();
    }
    lane.isOpening = false;
    const { link } = hold;
    if (link?.isUsable !== true) {
      failed();
      return;
    }
    let isGivenBack = false;
    const added = new LaneLink({
      link,
      isBlind,
      counts: this.counts,
      onClosed: (reason: LaneEnd) => {
        this.counts.ended[reason] += 1;
      },
      onRoom: () => this.board(lane),
      onHeldUp: (ms) => this.heldUp(ms),
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
    else {
      this.board(lane);
      this.watch();
    }
  }

  /** Where many want the processors, one of the engine's processes gets none for some time; to go elsewhere is no better then. */
  private heldUp(ms: number): void {
    if (ms >= muchTooSlowMs) return;
    this.patience = {
      ms: Math.min(2 * ms, muchTooSlowMs),
      until: performance.now() + rememberedMs,
    };
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
    const isWanted = this.areOthersWaiting;
    if (now > this.patience.until) this.patience = { ms: slowMs, until: Infinity };
    for (const { links } of this.lanes.values())
      for (const link of links) {
        const age = now - link.openedAt;
        const atWork = link.look(now);
        if (link.length === 0 && now - link.since > idleMs) link.retire('idle');
        else if (atWork > muchTooSlowMs && link.isOpen) link.close('slow');
        else if (atWork > this.patience.ms && !link.isHeldUp) link.holdUp();
        else if (isWanted && (link.length === 0 || age > wantedMs)) link.retire('wanted');
        else if (age > longestMs) link.retire('old');
      }
    return [...this.lanes.values()].some(({ links }) => links.size > 0);
  }
}

function newLane(): Lane {
  return { links: new Set(), seekers: new Set(), isOpening: false };
}
