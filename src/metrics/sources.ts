import type { Latencies } from './latencies.ts';

/** What is asked of the parts of the proxy when metrics are read. Each part keeps its own plain counts. */
export interface Sources {
  /** Connections whose client is not let in yet. */
  arriving(): number;
  statementCache(): CacheSize;
  parsers(): ParserCounts;
  keyCache(): CacheCounts;
  /** Logins that wait for their turn to have a secret verified. */
  waitingVerifications(): number;
  catalogue(): CatalogueCounts;
  store(): StoreOutage;
  /** Proxies of the store that are heard, this one among them. */
  instances(): number;
  /** Cancel requests for sessions of other instances, by outcome. */
  forwardedCancels(): Iterable<readonly [string, number]>;
  pools(): readonly PoolNumbers[];
  lanes(): readonly LaneNumbers[];
  /** How often a session began to keep its engine connection, by reason. */
  pins(): Iterable<readonly [reason: string, count: number]>;
}

export interface StoreOutage {
  readonly isHeard: boolean;
  /** 0 while it is. */
  readonly unheardSeconds: number;
  readonly isRefusing: boolean;
}

/** Connections to the engine as one role. */
export interface PoolNumbers {
  readonly role: string;
  readonly size: number;
  /** Connections by state. */
  readonly states: Readonly<Record<'in_use' | 'pinned' | 'idle' | 'opening', number>>;
  readonly waiting: number;
  readonly longestWaitSeconds: number;
  /** The engine could not be reached when somebody tried last. */
  readonly isAway: boolean;
  readonly counts: {
    readonly asked: number;
    readonly opened: number;
    readonly notOpened: number;
    readonly closed: number;
    readonly broken: number;
    readonly cleaned: number;
    readonly timedOut: number;
    readonly waits: Latencies;
    readonly prepared: Readonly<Record<'known' | 'first' | 'again', number>>;
  };
}

/** The fast lanes of the connections of one role. */
export interface LaneNumbers {
  readonly role: string;
  readonly connections: number;
  readonly counts: {
    readonly statements: number;
    readonly reissued: number;
    readonly ended: Readonly<Record<string, number>>;
  };
}

export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  readonly entries: number;
}

export interface CacheSize extends CacheCounts {
  readonly bytes: number;
}

export interface ParserCounts {
  /** Texts that wait for a thread. */
  readonly waiting: number;
  /** Threads that were replaced. */
  readonly replaced: number;
  /** False once the parser of the main thread broke: small texts go to the threads as well. */
  readonly isInProcess: boolean;
}

export interface CatalogueCounts {
  readonly refreshed: number;
  readonly failed: number;
  /** When it was last known to be true, by `Date.now()`; undefined before the first time. */
  readonly at: number | undefined;
}
