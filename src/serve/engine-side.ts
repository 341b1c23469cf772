import type pg from 'pg';
import type { Config } from '../config.ts';
import type { DefinitionNews } from '../control/instances/definitions.ts';
import { CatalogueWatcher } from '../engine/catalogue/watcher.ts';
import type { EngineLogins } from '../engine/logins.ts';
import { EnginePool } from '../engine/pool/pool.ts';
import type { EngineRole } from '../engine/roles.ts';
import { BackendTerminator } from '../engine/terminator.ts';
import { openUpstream } from '../engine/upstream.ts';
import type { JudgementMeter } from '../metrics/judgement-meter.ts';
import type { KeyDirectory } from '../ports.ts';
import type { EngineSide } from '../proxy/engine-side.ts';
import { Lanes } from '../proxy/lane/lanes.ts';
import { checkParameters } from '../proxy/engine-parameters.ts';
import { pipeline, type Step } from '../proxy/pipeline.ts';
import type { Logger } from '../shared/log.ts';
import type { StatementReader } from '../sql/reader.ts';
import { Started } from './started.ts';

/** How an environment's engine is reached. */
export interface EngineAccess extends EngineLogins {
  /** May end the backends of both; absent: each role ends its own. */
  readonly terminator?: pg.ClientConfig;
}

export interface EngineSideParts {
  /** The environment's id; '' for the one of the configuration. */
  readonly environment: string;
  readonly access: EngineAccess;
  /** As it holds there. */
  readonly config: Config;
  readonly reader: StatementReader;
  readonly news: DefinitionNews;
  readonly keys: KeyDirectory;
  readonly meter: JudgementMeter;
  /** The assembly of a test that takes the first lock out; the product has one pipeline. */
  readonly steps?: readonly Step[] | undefined;
  readonly log: Logger;
}

export interface RunningEngineSide extends EngineSide {
  readonly catalogue: CatalogueWatcher;
  readonly lanes: Record<EngineRole, Lanes> | undefined;
  readonly pools: Record<EngineRole, EnginePool>;
  /** Its sessions have ended. */
  stop(): Promise<void>;
}

/** Rejects with what keeps its engine from being used; nothing of it is left then. */
export async function startEngineSide(parts: EngineSideParts): Promise<RunningEngineSide> {
  const { environment, access, config, reader, news, keys, log } = parts;
  const started = new Started();
  try {
    const definitions = news.of(environment, () => catalogue.expectChange());
    started.add(() => Promise.resolve(news.forget(environment)));
    const catalogue = new CatalogueWatcher({
      config: access.reader,
      read: (text) => reader.read(Buffer.from(text)),
      epoch: () => definitions.epoch,
      log,
    });
    started.add(() => catalogue.stop());
    await catalogue.start();
    const terminators = startTerminators(access, log);
    started.add(async () => {
      for (const each of new Set(Object.values(terminators))) await each.close();
    });
    const pools = startPools(config, access);
    started.add(async () => {
      await Promise.all(Object.values(pools).map((pool) => pool.stop()));
    });
    const lanes = startLanes(config, pools);
    started.add(() => {
      for (const each of Object.values(lanes ?? {})) each.stop();
      return Promise.resolve();
    });
    return {
      catalogue,
      pools,
      lanes,
      terminators,
      limits: config.limits,
      pipeline: {
        keys,
        reader,
        catalogue: () => catalogue.current(),
        isCatalogueCurrent: () => catalogue.isCurrent,
        freshenCatalogue: () => catalogue.freshen(),
        definitions,
        steps: parts.steps ?? pipeline,
        meter: parts.meter,
      },
      stop: () => started.stop(),
    };
  } catch (error) {
    await started.stop();
    throw error;
  }
}

/** In session mode there is a connection for each client. */
function startPools(
  { pool, limits }: Config,
  logins: EngineLogins,
): Record<EngineRole, EnginePool> {
  const start = (role: EngineRole, size: number): EnginePool =>
    new EnginePool({
      open: (session) => openUpstream(logins[role], session),
      check: (parameters) => checkParameters(parameters, role === 'reader'),
      size: pool.mode === 'session' ? limits.connections : size,
      queueMs: pool.queueSeconds * 1_000,
      idleMs: pool.idleSeconds * 1_000,
      lifetimeMs: pool.lifetimeSeconds * 1_000,
    });
  return { reader: start('reader', pool.readers), writer: start('writer', pool.writers) };
}

/** Undefined where they are switched off. */
function startLanes(
  { pool: { readers, writers, fastLane } }: Config,
  pools: Record<EngineRole, EnginePool>,
): Record<EngineRole, Lanes> | undefined {
  if (!fastLane) return undefined;
  return {
    reader: new Lanes({ pool: pools.reader, poolSize: readers }),
    writer: new Lanes({ pool: pools.writer, poolSize: writers }),
  };
}

function startTerminators(
  { reader, writer, terminator }: EngineAccess,
  log: Logger,
): Record<EngineRole, BackendTerminator> {
  if (terminator !== undefined) {
    const both = new BackendTerminator(terminator, log);
    return { writer: both, reader: both };
  }
  return {
    writer: new BackendTerminator(writer, log),
    reader: new BackendTerminator(reader, log),
  };
}
