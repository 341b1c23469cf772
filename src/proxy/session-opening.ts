import type { Logger } from 'pino';
import type { PoolMode } from '../config.ts';
import type { EnginePool } from '../engine/pool/pool.ts';
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
import type { EngineSide } from './engine-side.ts';
import { ClientGone } from './handshake-reader.ts';
import { groupOf } from './link-wait.ts';
import type { LiveSessions } from './live-sessions.ts';
import { ReportedParameters } from './reported-parameters.ts';
import { SearchedSchemas } from './searched-schemas.ts';
import { SessionLog } from './session-log.ts';
import { SessionState } from './session-state.ts';
import { Session } from './session.ts';
import type { Startup } from './startup.ts';

/** What sessions are made of, whoever they are for. */
export interface SessionOpeningParts {
  readonly pooling: PoolMode;
  /** Those that it opens; for others to look at. */
  readonly sessions: LiveSessions;
  /** Told when a session begins to keep its engine connection. */
  readonly onPin: (reason: PinReason) => void;
  readonly authentication: AuthenticationParts;
  readonly keyFunctions: KeyFunctions;
  readonly systemRelations: SystemRelations;
  readonly cancelKeys: CancelKeyIssuer;
  /** Told of what becomes of connections. */
  readonly meter: ConnectionMeter;
  readonly log: Logger;
}

export interface ConnectionMeter {
  opened(about: SessionAbout): SessionMeter;
  refused(code: ErrorCode): void;
}

export interface SessionOpening {
  readonly side: EngineSide;
  readonly startup: Startup;
  readonly principal: Principal;
  readonly source: string;
  /** The session has ended. */
  readonly onClosed: (principal: Principal, pool: EnginePool) => void;
}

/** In session mode nothing is shared. */
const ownConnection: Pin = { reason: 'session', detail: 'pool.mode is "session"' };

/** From a client that is known to a session: how its engine connections begin, what it is told, and who looks after it. */
export async function openSession(
  parts: SessionOpeningParts,
  { side, startup, principal, source, onClosed }: SessionOpening,
): Promise<void> {
  const { socket } = startup;
  const wanted = engineSession(principal, startup);
  if (wanted instanceof HatiError) throw wanted;
  const startPins = pinsOfStart(startup.settings);
  if (parts.pooling === 'transaction' && startPins[0] !== undefined)
    throw new HatiError('pinning_refused', { params: { what: startPins[0].detail } });
  const role = mayChange(principal.authority) ? 'writer' : 'reader';
  const pool = side.pools[role];
  const partition = pool.partition(wanted.start);
  const parameters = await pool.parameters({
    partition,
    holder: startup,
    group: groupOf(principal),
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
  const searched = new SearchedSchemas(partition.start.settings, parameters.get('search_path'));
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
  const actor = { principal, source };
  const { processId } = cancelKey;
  const log = new SessionLog({ log: parts.log, meter, id: processId, actor, onPin: parts.onPin });
  const pins = parts.pooling === 'session' ? [ownConnection, ...startPins] : startPins;
  const session = new Session({
    processId,
    client: socket,
    pool,
    partition,
    state: new SessionState(wanted.settings, pins, log),
    parameters: reported,
    refusesPins: parts.pooling === 'transaction',
    lanes: side.lanes?.[role],
    terminator: side.terminators[role],
    principal,
    searched,
    pipeline: side.pipeline,
    ownAnswers: {
      keys: parts.keyFunctions,
      relations: parts.systemRelations,
      parameters: startup.parameters,
      actor,
    },
    limits: side.limits,
    log,
    meter,
    sessions: parts.sessions,
    onGone: onClosed,
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
