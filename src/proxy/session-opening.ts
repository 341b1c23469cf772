import type { Logger } from 'pino';
import type { PoolMode } from '../config.ts';
import type { EnginePool } from '../engine/pool/pool.ts';
import type { EngineRole } from '../engine/roles.ts';
import { HatiError, type ErrorCode } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { SessionAbout } from '../metrics/tracing.ts';
import { mayChange } from '../policy/authority.ts';
import { pinsOfStart, type Pin, type PinReason } from '../policy/pins.ts';
import type { CancelKeyIssuer, KeyFunctions, Principal, SystemRelations } from '../ports.ts';
import {
  authenticationOk,
  backendKeyData,
  parameterStatus,
  readyForQuery,
} from '../wire/backend-messages.ts';
import type { AuthenticationParts } from './authenticate.ts';
import { engineSession } from './engine-session.ts';
import { ClientGone } from './handshake-reader.ts';
import type { Lanes } from './lane/lanes.ts';
import type { LiveSessions } from './live-sessions.ts';
import type { PipelineParts } from './pipeline.ts';
import { ReportedParameters } from './reported-parameters.ts';
import { SearchedSchemas } from './searched-schemas.ts';
import type { TimeLimits } from './session-clock.ts';
import { SessionState } from './session-state.ts';
import { Session } from './session.ts';
import type { Startup } from './startup.ts';

/** What sessions are made of, whoever they are for. */
export interface SessionOpeningParts {
  readonly pools: Readonly<Record<EngineRole, EnginePool>>;
  readonly pooling: PoolMode;
  /** Undefined where they are switched off. */
  readonly lanes: Readonly<Record<EngineRole, Lanes>> | undefined;
  /** Those that it opens; for others to look at. */
  readonly sessions: LiveSessions;
  /** Told when a session begins to keep its engine connection. */
  readonly onPin: (reason: PinReason) => void;
  /** Ends a backend of that role. */
  readonly terminate: (role: EngineRole, processId: number) => Promise<void>;
  readonly authentication: AuthenticationParts;
  readonly pipeline: PipelineParts;
  readonly keyFunctions: KeyFunctions;
  readonly systemRelations: SystemRelations;
  readonly limits: SessionLimits;
  readonly cancelKeys: CancelKeyIssuer;
  /** Told of what becomes of connections. */
  readonly meter: ConnectionMeter;
  readonly log: Logger;
}

export interface SessionLimits extends TimeLimits {
  readonly messageBytes: number;
}

export interface ConnectionMeter {
  opened(about: SessionAbout): SessionMeter;
  refused(code: ErrorCode): void;
}

export interface SessionOpening {
  readonly startup: Startup;
  readonly principal: Principal;
  readonly source: string;
  /** The session has ended. */
  readonly onClosed: () => void;
}

/** In session mode nothing is shared. */
const ownConnection: Pin = { reason: 'session', detail: 'pool.mode is "session"' };

/** From a client that is known to a session: how its engine connections begin, what it is told, and who looks after it. */
export async function openSession(
  parts: SessionOpeningParts,
  { startup, principal, source, onClosed }: SessionOpening,
): Promise<void> {
  const { socket } = startup;
  const wanted = engineSession(principal, startup);
  if (wanted instanceof HatiError) throw wanted;
  const pins = pinsOfStart(startup.settings);
  if (parts.pooling === 'transaction' && pins[0] !== undefined)
    throw new HatiError('pinning_refused', { params: { what: pins[0].detail } });
  const role = mayChange(principal.authority) ? 'writer' : 'reader';
  const pool = parts.pools[role];
  const partition = pool.partition(wanted.start);
  const parameters = await pool.parameters({
    partition,
    holder: startup,
    group: principal.kind === 'key' ? principal.keyId : principal.kind,
    priority: () => 'normal',
    isOver: () => socket.destroyed,
    onQueued: () => undefined,
    onWaiting: () => undefined,
  });
  // The key may have ended while the engine was being asked.
  const { keys } = parts.authentication;
  if (!keys.isCurrent(principal)) throw new HatiError('invalid_api_key');
  if (principal.kind === 'key' && keys.isRefusing) throw new HatiError('store_unreachable');
  if (socket.destroyed) throw new ClientGone();
  const cancelKey = parts.cancelKeys.issue(startup.cancelSecretBytes, (processId) =>
    parts.sessions.has(processId),
  );
  const log = parts.log.child({ session: cancelKey.processId, agent: principal.agent, source });
  const searched = new SearchedSchemas(wanted.start.settings, parameters.get('search_path'));
  const reported = new ReportedParameters({
    shared: parameters,
    own: wanted.settings,
    searched,
    isClamped: role === 'reader',
  });
  const meter = parts.meter.opened({
    agent: principal.agent,
    requestId: () => startup.parameters.get('hatidata_request_id'),
  });
  const session = new Session({
    client: socket,
    pool,
    partition,
    state: new SessionState(
      wanted.settings,
      [...(parts.pooling === 'session' ? [ownConnection] : []), ...pins],
      ({ reason, detail }) => {
        parts.onPin(reason);
        log.debug({ reason, detail }, 'the session keeps its engine connection');
      },
    ),
    reported,
    refusesPins: parts.pooling === 'transaction',
    lanes: parts.lanes?.[role],
    terminate: (processId) => parts.terminate(role, processId),
    principal,
    searched,
    pipeline: parts.pipeline,
    own: {
      keys: parts.keyFunctions,
      relations: parts.systemRelations,
      parameters: startup.parameters,
      actor: { principal, source },
    },
    messageBytes: parts.limits.messageBytes,
    timeLimits: parts.limits,
    log,
    meter,
    onClosed: () => {
      meter.close();
      parts.sessions.remove(cancelKey.processId);
      onClosed();
      log.debug('session ended');
    },
  });
  parts.sessions.add(cancelKey, session);
  socket.write(
    Buffer.concat([
      authenticationOk,
      ...[...reported.all].map(([name, value]) => parameterStatus(name, value)),
      backendKeyData(cancelKey.processId, cancelKey.secret),
      readyForQuery('idle'),
    ]),
  );
  session.start(startup.reader.rest);
  log.debug({ scope: principal.authority.scope }, 'session began');
}
