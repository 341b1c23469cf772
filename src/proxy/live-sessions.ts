import { randomBytes, randomInt, timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { EngineLink } from '../engine/pool/link.ts';
import type { EnginePool } from '../engine/pool/pool.ts';
import type { HatiError } from '../errors.ts';
import type * as metered from '../metrics/session-meter.ts';
import type { PinReason } from '../policy/session-use.ts';
import type { Actor, SecretId } from '../ports.ts';

/** What the registry needs of a session. */
export interface LiveSession {
  readonly secretId: SecretId | undefined;
  /** Cancels what the session runs, if anything; resolves when the engine has been told. Never rejects. */
  cancel(): Promise<void>;
  /** Tells the client why and ends the session; resolves when both sides are closed. */
  end(error: HatiError): Promise<void>;
  /** The same as soon as no transaction is open and no answer is owed. */
  endAtRest(error: HatiError): Promise<void>;
  look(): SessionLook;
}

/** A session as an operator sees it. Whoever looks changes nothing. */
export interface SessionLook {
  readonly actor: Actor;
  readonly pool: EnginePool;
  readonly client: Socket;
  /** By `Date.now()`. */
  readonly connectedAt: number;
  readonly state: metered.SessionState | 'ending';
  /** By `performance.now()`, as is `waitingSince`: since when it waits for an engine connection. */
  readonly since: number;
  readonly waitingSince: number | undefined;
  /** The engine connection that it holds. */
  readonly link: EngineLink | undefined;
  /** Why it keeps that, and what did it. */
  readonly pins: ReadonlyMap<PinReason, string>;
  readonly preparedCount: number;
  /** As the engine shows it. */
  readonly applicationName: string | undefined;
}

/** What a client must present to cancel: the two values of BackendKeyData. */
export interface CancelKey {
  readonly processId: number;
  readonly secret: Buffer;
}

const largestProcessId = 0x7fff_ffff;

/** All sessions of this process, to be found by their cancel key and by their API key. */
export class LiveSessions {
  private readonly sessions = new Map<number, { session: LiveSession; secret: Buffer }>();

  get size(): number {
    return this.sessions.size;
  }

  /** @param secretBytes 4 under protocol 3.0, 32 from 3.2 on. */
  newCancelKey(secretBytes: 4 | 32): CancelKey {
    for (;;) {
      const processId = randomInt(1, largestProcessId);
      if (!this.sessions.has(processId)) return { processId, secret: randomBytes(secretBytes) };
    }
  }

  add(key: CancelKey, session: LiveSession): void {
    this.sessions.set(key.processId, { session, secret: key.secret });
  }

  remove(key: CancelKey): void {
    this.sessions.delete(key.processId);
  }

  /** Each with the process id that its client was told. */
  look(): (readonly [id: number, look: SessionLook])[] {
    return [...this.sessions].map(([id, { session }]) => [id, session.look()]);
  }

  async cancel({ processId, secret }: CancelKey): Promise<void> {
    const entry = this.sessions.get(processId);
    if (entry === undefined || entry.secret.length !== secret.length) return;
    if (timingSafeEqual(entry.secret, secret)) await entry.session.cancel();
  }

  async endBySecret(secretId: SecretId, error: HatiError): Promise<void> {
    await this.endWhere((session) => session.secretId === secretId, error);
  }

  /** @param patienceMs how long transactions may go on. */
  async endAll(reason: HatiError, patienceMs: number): Promise<void> {
    const sessions = [...this.sessions.values()].map(({ session }) => session);
    const timer = setTimeout(() => void this.endWhere(() => true, reason), patienceMs);
    await Promise.all(sessions.map((session) => session.endAtRest(reason)));
    clearTimeout(timer);
  }

  private async endWhere(
    matches: (session: LiveSession) => boolean,
    error: HatiError,
  ): Promise<void> {
    const sessions = [...this.sessions.values()].map((entry) => entry.session).filter(matches);
    await Promise.all(sessions.map((session) => session.end(error)));
  }
}
