import type { PoolMode } from '../../config.ts';
import type { EngineLink } from '../../engine/pool/link.ts';
import type { EnginePool, PoolLook } from '../../engine/pool/pool.ts';
import type { PoolNumbers } from '../../metrics/sources.ts';
import type { EnvironmentId, Principal, StatusRelations, StatusRow } from '../../ports.ts';
import type { StatementReader } from '../../sql/reader.ts';
import type { EngineSide } from '../engine-side.ts';
import type { LiveSessions } from '../live-sessions.ts';
import { clientRow } from './clients.ts';
import { serverRow, stateOf, type Held } from './servers.ts';
import { statementRows } from './statements.ts';

export interface StatusParts {
  /** Those that are in use. */
  readonly engines: () => Iterable<readonly [EnvironmentId, Pick<EngineSide, 'pools'>]>;
  /** The one of whoever runs the proxy. */
  readonly first: EnvironmentId;
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

  readonly clients = (asker: Principal): readonly StatusRow[] => {
    const names = new Map(this.looks().map(({ name, pool }) => [pool, name]));
    return this.parts.sessions
      .look()
      .filter(([, { actor }]) => sees(asker, environmentOf(actor.principal, this.parts.first)))
      .map(([id, look]) => clientRow(id, names.get(look.pool) ?? '', look));
  };

  readonly servers = (asker: Principal): readonly StatusRow[] => {
    const held = this.held();
    return this.looks(asker).flatMap(({ name, look: { links, idle } }) =>
      [...links].map((link) => {
        const holder = held.get(link);
        return serverRow(name, link, { state: stateOf(link, idle, holder), held: holder });
      }),
    );
  };

  readonly pools = (asker: Principal): readonly StatusRow[] =>
    this.poolNumbers(asker).map(
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

  /** Texts are of all environments together, so they are the operator's to see. */
  readonly statements = async (asker: Principal): Promise<readonly StatusRow[]> =>
    asker.kind === 'localAdministrator' || asker.environment === this.parts.first
      ? await statementRows(this.parts.reader)
      : [];

  /** @param asker undefined: of all environments */
  poolNumbers(asker?: Principal): readonly PoolNumbers[] {
    const held = this.held();
    return this.looks(asker).map(({ name, look }) => {
      const { size, links, idle, opening, waiting, longestWaitSeconds, isAway, counts } = look;
      const states = { in_use: 0, pinned: 0, idle: 0, opening };
      for (const link of links) {
        const state = stateOf(link, idle, held.get(link));
        // It has its place until it is gone.
        states[state === 'closing' ? 'in_use' : state] += 1;
      }
      return { role: name, size, states, waiting, longestWaitSeconds, isAway, counts };
    });
  }

  private looks(asker?: Principal): readonly { name: string; pool: EnginePool; look: PoolLook }[] {
    const { engines, first } = this.parts;
    return [...engines()]
      .filter(([environment]) => asker === undefined || sees(asker, environment))
      .flatMap(([environment, { pools }]) =>
        (['reader', 'writer'] as const).map((role) => ({
          name: environment === first ? role : `${environment} ${role}`,
          pool: pools[role],
          look: pools[role].look(),
        })),
      );
  }

  private held(): ReadonlyMap<EngineLink, Held> {
    return new Map(
      this.parts.sessions
        .look()
        .flatMap(([id, { link, pins }]) => (link === undefined ? [] : [[link, { id, pins }]])),
    );
  }
}

/** Keys see what is of their own environment, the local administrator all. */
function sees(asker: Principal, environment: EnvironmentId): boolean {
  return asker.kind === 'localAdministrator' || asker.environment === environment;
}

function environmentOf(principal: Principal, first: EnvironmentId): EnvironmentId {
  return principal.kind === 'key' ? principal.environment : first;
}
