import { timingSafeEqual } from 'node:crypto';
import type { HatiError } from '../errors.ts';
import type { CancelKey, SecretId } from '../ports.ts';

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
}

/** All sessions of this process, to be found by their cancel key and by their API key. */
export class LiveSessions {
  private readonly sessions = new Map<number, { session: LiveSession; secret: Buffer }>();

  get size(): number {
    return this.sessions.size;
  }

  *all(): Iterable<LiveSession> {
    for (const { session } of this.sessions.values()) yield session;
  }

  has(processId: number): boolean {
    return this.sessions.has(processId);
  }

  add(key: CancelKey, session: LiveSession): void {
    this.sessions.set(key.processId, { session, secret: key.secret });
  }

  remove(key: CancelKey): void {
    this.sessions.delete(key.processId);
  }

  async cancel({ processId, secret }: CancelKey): Promise<void> {
    const entry = this.sessions.get(processId);
    if (entry === undefined || entry.secret.length !== secret.length) return;
    if (timingSafeEqual(entry.secret, secret)) await entry.session.cancel();
  }

  async endBySecret(secretId: SecretId, error: HatiError): Promise<void> {
    const concerned = [...this.all()].filter((session) => session.secretId === secretId);
    await Promise.all(concerned.map((session) => session.end(error)));
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
