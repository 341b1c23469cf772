import { createServer, type Server, type Socket } from 'node:net';
import type { EnginePool } from '../engine/pool/pool.ts';
import { HatiError } from '../errors.ts';
import { startListening } from '../shared/listen-on.ts';
import type { CancelForwarding, CancelKey, Principal, SessionCounts } from '../ports.ts';
import { Arrivals } from './arrivals.ts';
import { authenticate } from './authenticate.ts';
import { checkCertificate, type ListenerTls } from './client-certificate.ts';
import type { EngineSide, EngineSides } from './engine-side.ts';
import { farewell, hurriedFarewellMs } from './farewell.ts';
import { ClientGone } from './handshake-reader.ts';
import type { LiveSessions } from './live-sessions.ts';
import { clientOf, peerOf, type Peer } from './peer.ts';
import { Places, type PlaceLimits } from './places.ts';
import { Rounds } from './session-clock.ts';
import { openSession, type SessionOpeningParts } from './session-opening.ts';
import type { SessionLimits } from './session.ts';
import { readFirstWords, readPassword, type Startup } from './startup.ts';

export interface ListenerParts extends SessionOpeningParts {
  readonly engines: EngineSides;
  readonly limits: ListenerLimits;
  /** undefined: it is not served. */
  readonly tls: ListenerTls | undefined;
  /** Networks of load balancers, which say for whom they connect. */
  readonly trustedProxies: readonly string[];
  /** Other machines may connect without TLS. */
  readonly allowCleartext: boolean;
  readonly cancels: CancelForwarding;
  readonly sessionCounts: SessionCounts;
}

export interface ListenerLimits extends PlaceLimits, SessionLimits {
  readonly startupSeconds: number;
  /** How long transactions may go on when sessions have to end. */
  readonly drainSeconds: number;
}

const keepAliveMs = 60_000;
/** Clients that may be telling who they are, beyond as many as there may be sessions. */
const sparePlaces = 100;

/** Whatever it is, 'close' follows. A function of its own, as it stays with the socket and must not keep the handshake. */
const ignore = (): void => undefined;

/**
 * Accepts clients: for whom is it → first words → password → who is it → a connection to the engine → Session.
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
    keys.alsoWatch(() => this.sessions.secrets());
    keys.onEnded((secretId) => {
      void this.sessions.endBySecret(secretId, new HatiError('invalid_api_key'));
    });
    keys.onNetworks((secretId, networks) => {
      void this.sessions.endElsewhere(secretId, networks);
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
    await startListening(server, socket);
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

  /** One function for all of them. */
  private readonly onSessionClosed = (principal: Principal, pool: EnginePool): void => {
    this.leave(principal, pool);
    this.gone();
  };

  private leave(principal: Principal, pool: EnginePool): void {
    this.places.leave(principal);
    this.parts.engines.leave(pool);
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
    socket.on('error', ignore);
    this.arriving.add(socket);
    const { startupSeconds } = this.parts.limits;
    let current = socket;
    let peer = peerOf(socket);
    const sendAway = (error: HatiError, patienceMs?: number): void => {
      this.parts.meter.refused(error.code);
      farewell(current, error, patienceMs);
    };
    this.unknown.add(socket, peer.address, () =>
      sendAway(new HatiError('too_many_arriving'), hurriedFarewellMs),
    );
    const deadline = setTimeout(() => {
      sendAway(new HatiError('startup_timeout', { params: { seconds: startupSeconds } }));
    }, startupSeconds * 1_000);
    try {
      peer = await clientOf(socket, this.parts.trustedProxies);
      this.unknown.isFrom(socket, peer.address);
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
      await this.admit(words, peer, socket);
    } catch (error) {
      if (!(error instanceof ClientGone)) sendAway(this.asClientError(error, peer));
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

  private async admit(startup: Startup, peer: Peer, connection: Socket): Promise<void> {
    const { allowCleartext, tls } = this.parts;
    if (!startup.encrypted && !peer.isLoopback && !allowCleartext)
      throw new HatiError('tls_required');
    checkCertificate(tls?.clientCertificates, startup.certificate);
    const principal = await this.identify(startup, peer);
    this.unknown.remove(connection);
    await this.places.take(principal);
    const side = await this.sideFor(principal);
    try {
      await openSession(this.parts, {
        side,
        startup,
        principal,
        source: peer.address,
        onClosed: this.onSessionClosed,
      });
    } catch (error) {
      this.leave(principal, side.pools.reader);
      throw error;
    }
  }

  private async sideFor(principal: Principal): Promise<EngineSide> {
    try {
      return await this.parts.engines.enter(principal);
    } catch (error) {
      this.places.leave(principal);
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

  private asClientError(error: unknown, { address: source }: Peer): HatiError {
    const { log } = this.parts;
    if (error instanceof HatiError) {
      const level = error.blame === 'client' || error.blame === 'policy' ? 'info' : 'error';
      log[level]({ code: error.code, cause: error.cause, source }, 'connection refused');
      return error;
    }
    const reference = crypto.randomUUID();
    log.error({ err: error, reference, source }, 'a connection could not be set up');
    return new HatiError('internal', { params: { reference } });
  }
}
