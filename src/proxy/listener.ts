import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { EngineRole } from '../engine/roles.ts';
import type { EnginePool } from '../engine/pool/pool.ts';
import type { PoolMode } from '../config.ts';
import { HatiError, type ErrorCode } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { SessionAbout } from '../metrics/tracing.ts';
import { mayChange } from '../policy/authority.ts';
import { pinsOfStart, type Pin, type PinReason } from '../policy/session-use.ts';
import type {
  CancelForwarding,
  CancelKey,
  CancelKeyIssuer,
  KeyFunctions,
  Principal,
  SessionCounts,
  SystemRelations,
} from '../ports.ts';
import {
  authenticationOk,
  backendKeyData,
  parameterStatus,
  readyForQuery,
} from '../wire/backend-messages.ts';
import { Arrivals } from './arrivals.ts';
import { authenticate, type AuthenticationParts } from './authenticate.ts';
import { checkCertificate, type ListenerTls } from './client-certificate.ts';
import { engineSession } from './engine-session.ts';
import { farewell, hurriedFarewellMs } from './farewell.ts';
import { ClientGone } from './handshake-reader.ts';
import type { LiveSessions } from './live-sessions.ts';
import { peerOf, type Peer } from './peer.ts';
import type { PipelineParts } from './pipeline.ts';
import { Places, type PlaceLimits } from './places.ts';
import { SearchedSchemas } from './searched-schemas.ts';
import { Rounds, type TimeLimits } from './session-clock.ts';
import { Session } from './session.ts';
import { SessionState } from './session-state.ts';
import { readFirstWords, readPassword, type Startup } from './startup.ts';

export interface ListenerParts {
  readonly pools: Readonly<Record<EngineRole, EnginePool>>;
  readonly pooling: PoolMode;
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
  /** undefined: it is not served. */
  readonly tls: ListenerTls | undefined;
  /** Other machines may connect without TLS. */
  readonly allowCleartext: boolean;
  readonly limits: ListenerLimits;
  readonly cancelKeys: CancelKeyIssuer;
  readonly cancels: CancelForwarding;
  readonly sessionCounts: SessionCounts;
  /** Told of what becomes of connections. */
  readonly meter: ConnectionMeter;
  readonly log: Logger;
}

export interface ListenerLimits extends PlaceLimits, TimeLimits {
  readonly messageBytes: number;
  readonly startupSeconds: number;
  /** How long transactions may go on when sessions have to end. */
  readonly drainSeconds: number;
}

export interface ConnectionMeter {
  opened(about: SessionAbout): SessionMeter;
  refused(code: ErrorCode): void;
}

/** In session mode nothing is shared. */
const ownConnection: Pin = { reason: 'session', detail: 'pool.mode is "session"' };

const keepAliveMs = 60_000;
/** Clients that may be telling who they are, beyond as many as there may be sessions. */
const sparePlaces = 100;

/**
 * Accepts clients: first words → password → who is it → a connection to the engine → Session.
 * Everything before the Session has a deadline, and every way out of it tells the client why.
 */
export class Listener {
  private readonly parts: ListenerParts;
  private readonly sessions: LiveSessions;
  private readonly servers: Server[] = [];
  /** Connections that are being set up. */
  private readonly arriving = new Set<Socket>();
  /** Those of them that are not known yet. */
  private readonly unknown: Arrivals;
  /** For clients that are known: sessions, and those about to be one. */
  private readonly places: Places;
  private readonly rounds: Rounds;
  /** Of whoever waits until nobody is left. */
  private onEmpty: (() => void) | undefined;

  constructor(parts: ListenerParts) {
    this.parts = parts;
    this.sessions = parts.sessions;
    this.unknown = new Arrivals(parts.limits.connections + sparePlaces);
    this.places = new Places(parts.limits, parts.sessionCounts);
    this.rounds = new Rounds(parts.limits, (now) => {
      for (const session of this.sessions.all()) session.checkTime(now);
    });
    const { keys } = parts.authentication;
    keys.onEnded((secretId) => {
      void this.sessions.endBySecret(secretId, new HatiError('invalid_api_key'));
    });
    keys.onOutage(() => {
      const error = new HatiError('store_unreachable');
      const patienceMs = parts.limits.drainSeconds * 1_000;
      void this.sessions.endKeys(error, patienceMs, () => keys.isRefusing);
    });
    parts.cancels.onCancel((key) => this.sessions.cancel(key));
  }

  /** Connections that are not a session yet. */
  get arrivingCount(): number {
    return this.arriving.size;
  }

  /** @param socket bound to its address. Rejects with the system's error (EADDRINUSE …). */
  async listen(socket: object): Promise<void> {
    const server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveMs,
    });
    server.on('connection', (socket) => void this.welcome(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(socket, () => {
        server.off('error', reject);
        resolve();
      });
    });
    this.servers.push(server);
  }

  get sessionCount(): number {
    return this.sessions.size;
  }

  /** Stops accepting and resolves when the last client has gone by itself; whoever is arriving is let in. */
  async retire(): Promise<void> {
    for (const server of this.servers) if (server.listening) server.close();
    if (!this.isEmpty) await new Promise<void>((resolve) => (this.onEmpty = resolve));
  }

  private get isEmpty(): boolean {
    return this.arriving.size === 0 && this.sessions.size === 0;
  }

  private gone(): void {
    if (this.isEmpty) this.onEmpty?.();
  }

  /**
   * Stops accepting, tells every client and waits until all have gone: idle ones at once, the others when their transaction
   * is over or `patienceMs` have passed. May be called again with less patience.
   */
  async close(patienceMs: number): Promise<void> {
    const closed = this.servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          if (server.listening) server.close(() => resolve());
          else resolve();
        }),
    );
    for (const socket of this.arriving) socket.destroy();
    await this.sessions.endAll(new HatiError('shutting_down'), patienceMs);
    await Promise.all(closed);
    this.rounds.stop();
  }

  private async welcome(socket: Socket): Promise<void> {
    socket.on('error', () => undefined);
    this.arriving.add(socket);
    const { startupSeconds } = this.parts.limits;
    let current = socket;
    const sendAway = (error: HatiError, patienceMs?: number): void => {
      this.parts.meter.refused(error.code);
      farewell(current, error, patienceMs);
    };
    this.unknown.add(socket, peerOf(socket).address, () =>
      sendAway(new HatiError('too_many_arriving'), hurriedFarewellMs),
    );
    const deadline = setTimeout(() => {
      sendAway(new HatiError('startup_timeout', { params: { seconds: startupSeconds } }));
    }, startupSeconds * 1_000);
    try {
      const words = await readFirstWords(socket, this.parts.tls, (secure) => {
        current = secure;
      });
      if (words.kind === 'cancel') {
        // Clients take the end of this connection for "it is cancelled", and send the next statement: also those that
        // have closed their side of it, to which it would otherwise be closed at once.
        socket.allowHalfOpen = true;
        current.allowHalfOpen = true;
        await this.cancel(words.key);
        // Whatever else it sends is not read, and must not keep it open.
        socket.destroySoon();
        return;
      }
      await this.admit(words, socket);
    } catch (error) {
      if (!(error instanceof ClientGone)) sendAway(this.asClientError(error));
      else current.destroy();
    } finally {
      clearTimeout(deadline);
      this.arriving.delete(socket);
      this.unknown.remove(socket);
      this.gone();
    }
  }

  private cancel(key: CancelKey): Promise<void> {
    const isHere = this.sessions.has(key.processId);
    return isHere ? this.sessions.cancel(key) : this.parts.cancels.forward(key);
  }

  private async admit(startup: Startup, connection: Socket): Promise<void> {
    const { allowCleartext, tls } = this.parts;
    const peer = peerOf(startup.socket);
    if (!startup.encrypted && !peer.isLoopback && !allowCleartext)
      throw new HatiError('tls_required');
    checkCertificate(tls?.clientCertificates, startup.certificate);
    const principal = await this.identify(startup, peer);
    this.unknown.remove(connection);
    const leave = await this.places.take(principal);
    try {
      await this.open(startup, principal, { source: peer.address, leave });
    } catch (error) {
      leave();
      throw error;
    }
  }

  private async identify(startup: Startup, peer: Peer): Promise<Principal> {
    const password = await readPassword(startup);
    return authenticate(
      {
        password,
        peer,
        claimedAgent: startup.parameters.get('hatidata_agent_id'),
        applicationName: startup.applicationName,
        certificate: startup.certificate?.subject,
      },
      this.parts.authentication,
    );
  }

  /** @param about `leave` is called when the session has ended. */
  private async open(
    startup: Startup,
    principal: Principal,
    { source, leave }: { readonly source: string; readonly leave: () => void },
  ): Promise<void> {
    const { parts } = this;
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
      this.sessions.has(processId),
    );
    const log = parts.log.child({ session: cancelKey.processId, agent: principal.agent, source });
    const reported = new Map([...parameters, ...wanted.settings]);
    const meter = parts.meter.opened({
      agent: principal.agent,
      requestId: () => startup.parameters.get('hatidata_request_id'),
    });
    const session = new Session({
      client: socket,
      early: startup.reader.rest,
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
      terminate: (processId) => parts.terminate(role, processId),
      principal,
      searched: new SearchedSchemas(wanted.start.settings, parameters.get('search_path')),
      settings: wanted.start.settings,
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
        this.sessions.remove(cancelKey);
        leave();
        this.gone();
        log.debug('session ended');
      },
    });
    this.sessions.add(cancelKey, session);
    socket.write(
      Buffer.concat([
        authenticationOk,
        ...[...reported].map(([name, value]) => parameterStatus(name, value)),
        backendKeyData(cancelKey.processId, cancelKey.secret),
        readyForQuery('idle'),
      ]),
    );
    session.start();
    log.debug({ scope: principal.authority.scope }, 'session began');
  }

  private asClientError(error: unknown): HatiError {
    const { log } = this.parts;
    if (error instanceof HatiError) {
      const level = error.blame === 'client' || error.blame === 'policy' ? 'info' : 'error';
      log[level]({ code: error.code, cause: error.cause }, 'connection refused');
      return error;
    }
    const reference = crypto.randomUUID();
    log.error({ err: error, reference }, 'a connection could not be set up');
    return new HatiError('internal', { params: { reference } });
  }
}
