import type { EnginePool } from '../engine/pool/pool.ts';
import type { EngineRole } from '../engine/roles.ts';
import type { Principal } from '../ports.ts';
import type { Lanes } from './lane/lanes.ts';
import type { PipelineParts } from './pipeline.ts';
import type { Terminator } from './session-end.ts';
import type { SessionLimits } from './session.ts';

/** What sessions of one environment share: its engine, and what is known of it. */
export interface EngineSide {
  readonly pools: Readonly<Record<EngineRole, EnginePool>>;
  /** Undefined where they are switched off. */
  readonly lanes: Readonly<Record<EngineRole, Lanes>> | undefined;
  readonly terminators: Readonly<Record<EngineRole, Terminator>>;
  readonly pipeline: PipelineParts;
  readonly limits: SessionLimits;
}

/** The key decides the environment. */
export interface EngineSides {
  /** For a session that begins; each has to leave again. Throws `environment_unavailable`. */
  enter(principal: Principal): EngineSide | Promise<EngineSide>;
  /** @param pool one of those of its side */
  leave(pool: EnginePool): void;
}
