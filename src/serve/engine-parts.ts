import type { Config } from '../config.ts';
import type { EngineLogins } from '../engine/logins.ts';
import { EnginePool } from '../engine/pool/pool.ts';
import type { EngineRole } from '../engine/roles.ts';
import { BackendTerminator } from '../engine/terminator.ts';
import { openUpstream } from '../engine/upstream.ts';
import { checkParameters } from '../proxy/engine-parameters.ts';
import type { Logger } from '../shared/log.ts';
import { engineLogins, type Logins } from './logins.ts';

/** In session mode there is a connection for each client. */
export function startPools(
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

export function startTerminators(
  logins: Logins,
  log: Logger,
): Record<EngineRole, BackendTerminator> {
  if (logins.terminator !== undefined) {
    const both = new BackendTerminator(logins.terminator, log);
    return { writer: both, reader: both };
  }
  const { reader, writer } = engineLogins(logins);
  return {
    writer: new BackendTerminator(writer, log),
    reader: new BackendTerminator(reader, log),
  };
}
