import type { PoolMode } from '../../config.ts';
import type { EngineLink } from '../../engine/pool/link.ts';
import type { EnginePool, PoolLook } from '../../engine/pool/pool.ts';
import type { EngineRole } from '../../engine/roles.ts';
import type { PoolNumbers } from '../../metrics/sources.ts';
import type { StatusRelations, StatusRow } from '../../ports.ts';
import type { StatementReader } from '../../sql/reader.ts';
import type { LiveSessions } from '../live-sessions.ts';
import { clientRow } from './clients.ts';
import { serverRow, stateOf, type Held } from './servers.ts';
import { statementRows } from './statements.ts';

export interface StatusParts {
  readonly pools: Readonly<Record<EngineRole, EnginePool>>;
  readonly pooling: PoolMode;
  readonly sessions: LiveSessions;
  readonly reader: Pick<StatementReader, 'known' | 'parserCounts'>;
}

/** What this process shows of its sessions and engine connections: rows for `_hatidata_status`, numbers for the metrics. */
export class Status implements StatusRelations {
  private readonly parts: StatusParts;

  constructor(parts: StatusParts) {
    this.parts = parts;
  }

  readonly clients = (): readonly StatusRow[] => {
    const roles = new Map(this.looks().map(({ role, pool }) => [pool, role]));
    return this.parts.sessions
      .look()
      .map(([id, look]) => clientRow(id, roles.get(look.pool) ?? '', look));
  };

  readonly servers = (): readonly StatusRow[] => {
    const held = this.held();
    return this.looks().flatMap(({ role, look: { links, idle } }) =>
      [...links].map((link) => {
        const holder = held.get(link);
        return serverRow(role, link, { state: stateOf(link, idle, holder), held: holder });
      }),
    );
  };

  readonly pools = (): readonly StatusRow[] =>
    this.poolNumbers().map(
      ({ role, size, states, waiting, longestWaitSeconds, isAway, counts }) => ({
        instance: process.pid,
        pool: role,
        mode: this.parts.pooling,
        size,
        ...states,
        waiting,
        longest_wait_seconds: longestWaitSeconds,
        asked: counts.asked,
        waited: counts.waits.counts.reduce((sum, count) => sum + count, 0),
        waited_seconds: counts.waits.sum,
        timed_out: counts.timedOut,
        opened: counts.opened,
        not_opened: counts.notOpened,
        closed: counts.closed,
        broken: counts.broken,
        cleaned: counts.cleaned,
        engine_away: isAway,
      }),
    );

  readonly statements = (): Promise<readonly StatusRow[]> => statementRows(this.parts.reader);

  poolNumbers(): readonly PoolNumbers[] {
    const held = this.held();
    return this.looks().map(({ role, look }) => {
      const { size, links, idle, opening, waiting, longestWaitSeconds, isAway, counts } = look;
      const states = { in_use: 0, pinned: 0, idle: 0, opening };
      for (const link of links) {
        const state = stateOf(link, idle, held.get(link));
        // It has its place until it is gone.
        states[state === 'closing' ? 'in_use' : state] += 1;
      }
      return { role, size, states, waiting, longestWaitSeconds, isAway, counts };
    });
  }

  private looks(): readonly { role: EngineRole; pool: EnginePool; look: PoolLook }[] {
    const { reader, writer } = this.parts.pools;
    return [
      { role: 'reader', pool: reader, look: reader.look() },
      { role: 'writer', pool: writer, look: writer.look() },
    ];
  }

  private held(): ReadonlyMap<EngineLink, Held> {
    return new Map(
      this.parts.sessions
        .look()
        .flatMap(([id, { link, pins }]) => (link === undefined ? [] : [[link, { id, pins }]])),
    );
  }
}
