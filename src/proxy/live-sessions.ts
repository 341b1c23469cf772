import { timingSafeEqual } from 'node:crypto';
import type { Socket } from 'node:net';
import type { EngineLink } from '../engine/pool/link.ts';
import type { EnginePool } from '../engine/pool/pool.ts';
import { HatiError } from '../errors.ts';
import type * as metered from '../metrics/session-meter.ts';
import { allowsAddress } from '../shared/networks.ts';
import type { PinReason } from '../policy/pins.ts';
import type { Actor, CancelKey, SecretId } from '../ports.ts';

/** What the registry needs of a session. */
export interface LiveSession {
  readonly secretId: SecretId | undefined;
  /** Cancels what the session runs, if anything; resolves when the engine has been told. Never rejects. */
  cancel(): Promise<void>;
  /** Tells the client why and ends the session; resolves when both sides are closed. */
  end(error: HatiError): Promise<void>;
  /** The same as soon as no transaction is open and no answer is owed. */
  endAtRest(error: HatiError): Promise<void>;
  /** Ends what has taken too long. @param now of a clock in milliseconds. */
  checkTime(now: number): void;
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
  /** The one that it shares with others while its statement is in a fast lane. */
  readonly ride: EngineLink | undefined;
  /** Why it keeps that, and what did it. */
  readonly pins: ReadonlyMap<PinReason, string>;
  readonly preparedCount: number;
  /** As the engine shows it. */
  readonly applicationName: string | undefined;
}

/** All sessions of this process, to be found by their cancel key and by their API key. */
export class LiveSessions {
  private readonly sessions = new Map<number, { session: LiveSession; secret: string }>();
  /** Those of API keys. Many keys can end at once, most of which nobody uses here. */
  private readonly ofSecrets = new Map<SecretId, Set<LiveSession>>();

  get size(): number {
    return this.sessions.size;
  }

  *all(): Iterable<LiveSession> {
    for (const { session } of this.sessions.values()) yield session;
  }

  /** Of API keys that have a session. */
  secrets(): Iterable<SecretId> {
    return this.ofSecrets.keys();
  }

  has(processId: number): boolean {
    return this.sessions.has(processId);
  }

  add(key: CancelKey, session: LiveSession): void {
    // A Buffer of so few bytes would keep all of the block that it was cut from.
    this.sessions.set(key.processId, { session, secret: key.secret.toString('latin1') });
    const { secretId } = session;
    if (secretId === undefined) return;
    const others = this.ofSecrets.get(secretId);
    if (others === undefined) this.ofSecrets.set(secretId, new Set([session]));
    else others.add(session);
  }

  remove(processId: number): void {
    const session = this.sessions.get(processId)?.session;
    this.sessions.delete(processId);
    if (session?.secretId === undefined) return;
    const others = this.ofSecrets.get(session.secretId);
    others?.delete(session);
    if (others?.size === 0) this.ofSecrets.delete(session.secretId);
  }

  /** Each with the process id that its client was told. */
  look(): (readonly [id: number, look: SessionLook])[] {
    return [...this.sessions].map(([id, { session }]) => [id, session.look()]);
  }

  async cancel({ processId, secret }: CancelKey): Promise<void> {
    const entry = this.sessions.get(processId);
    if (entry === undefined || entry.secret.length !== secret.length) return;
    if (timingSafeEqual(Buffer.from(entry.secret, 'latin1'), secret)) await entry.session.cancel();
  }

  async endBySecret(secretId: SecretId, error: HatiError): Promise<void> {
    await Promise.all(this.of(secretId).map((session) => session.end(error)));
  }

  /** Ends those of a secret that come from where it may not be used any more. */
  async endElsewhere(secretId: SecretId, networks: readonly string[]): Promise<void> {
    await Promise.all(
      this.of(secretId).map(async (session) => {
        const address = session.look().actor.source;
        if (allowsAddress(networks, address)) return;
        await session.end(new HatiError('address_not_allowed', { params: { address } }));
      }),
    );
  }

  private of(secretId: SecretId): readonly LiveSession[] {
    return [...(this.ofSecrets.get(secretId) ?? [])];
  }

  /** @param patienceMs how long transactions may go on. */
  endAll(reason: HatiError, patienceMs: number): Promise<void> {
    return endPatiently([...this.all()], reason, patienceMs, () => true);
  }

  /** The same for those that act for a key. @param isMeant whether transactions shall end by then after all. */
  endKeys(reason: HatiError, patienceMs: number, isMeant: () => boolean): Promise<void> {
    const concerned = [...this.all()].filter((session) => session.secretId !== undefined);
    return endPatiently(concerned, reason, patienceMs, isMeant);
  }
}

async function endPatiently(
  sessions: readonly LiveSession[],
  reason: HatiError,
  patienceMs: number,
  isMeant: () => boolean,
): Promise<void> {
  const ended = Promise.all(sessions.map((session) => session.endAtRest(reason)));
  const timer = setTimeout(() => {
    if (isMeant()) for (const session of sessions) void session.end(reason);
  }, patienceMs);
  await ended;
  clearTimeout(timer);
}
