import { Latencies, waitBounds } from '../../metrics/latencies.ts';

/** What a pool has done since it began. Plain numbers: some lie on the way of every transaction. */
export class PoolCounts {
  /** How often a session asked for a connection. */
  asked = 0;
  opened = 0;
  /** Attempts to open one that came to nothing. */
  notOpened = 0;
  /** By us: idle for long, old, retired, or its session had ended. */
  closed = 0;
  /** By the engine or the network. */
  broken = 0;
  /** Sessions of the engine that were brought back to how they began, for the next client. */
  cleaned = 0;
  /** Of those that waited in line, however it ended. */
  readonly waits = new Latencies(waitBounds);
  /** Waits that took too long. */
  timedOut = 0;
  /** What a client wanted prepared: there already, prepared for the first time, or again where another connection lacked it. */
  readonly prepared = { known: 0, first: 0, again: 0 };
}
