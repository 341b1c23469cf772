import { createHmac, randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { CacheCounts } from '../../metrics/sources.ts';
import type { KeyDirectory, KeyId, Principal, SecretId } from '../../ports.ts';
import type { Clock } from '../../shared/clock.ts';
import { Endings } from './endings.ts';
import type { KeyHasher } from './hasher.ts';
import { lookupPrefix } from './model.ts';
import { activeAmong, findActiveSecret, noteUses } from './verification-store.ts';

type NetworksListener = Parameters<KeyDirectory['onNetworks']>[0];
type KeyPrincipal = Extract<Principal, { kind: 'key' }>;

/** Secrets that were verified are remembered under a digest that is worthless outside this process. */
const rememberedSecrets = 10_000;
/** How many ended secrets are kept in mind, to catch a login that was under way when its secret ended. */
const rememberedEnds = 10_000;
const useFlushMs = 1_000;

/**
 * - `heard`: ends of secrets are heard of as they happen;
 * - `unheard`: the store is away, and what is remembered is still believed;
 * - `refusing`: it has been away for longer than `keys.outage_seconds`, and no key is believed.
 */
type Hearing = 'heard' | 'unheard' | 'refusing';

export interface StoreKeyDirectoryParts {
  readonly db: Kysely<ControlSchema>;
  readonly hasher: KeyHasher;
  /** How long what is remembered counts after the store was last heard. */
  readonly outageMs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Verifies secrets, remembers those that are good, and forgets them the moment they end. */
export class StoreKeyDirectory implements KeyDirectory {
  private readonly db: Kysely<ControlSchema>;
  private readonly hasher: KeyHasher;
  private readonly log: Logger;
  private readonly clock: Clock;
  /** Of remembered secrets that have an end. */
  private readonly endings: Endings;
  private readonly digestKey = randomBytes(32);
  private readonly remembered = new LRUCache<string, KeyPrincipal>({
    max: rememberedSecrets,
    dispose: ({ secretId }) => this.digests.delete(secretId),
    noDisposeOnSet: true,
  });
  /** Of those that are remembered, always: when many end at once nobody looks through all of them for each. */
  private readonly digests = new Map<SecretId, string>();
  private readonly underWay = new Map<string, Promise<KeyPrincipal | undefined>>();
  private readonly ended = new LRUCache<SecretId, true>({ max: rememberedEnds });
  /** As heard, for a login that read the old ones just before. */
  private readonly changedNetworks = new LRUCache<SecretId, readonly string[]>({
    max: rememberedEnds,
  });
  private readonly networkListeners: NetworksListener[] = [];
  private readonly listeners: ((secret: SecretId) => void)[] = [];
  private uses = new Map<KeyId, Date>();
  private flushTimer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();
  private readonly outageMs: number;
  private hearing: Hearing = 'unheard';
  /** When the store was last heard, by `performance.now()`. */
  private heardAt = performance.now();
  private outageTimer: NodeJS.Timeout | undefined;
  private readonly outageListeners: (() => void)[] = [];
  private inUse: () => Iterable<SecretId> = () => [];
  private hits = 0;
  private misses = 0;

  constructor(parts: StoreKeyDirectoryParts) {
    this.db = parts.db;
    this.hasher = parts.hasher;
    this.outageMs = parts.outageMs;
    this.clock = parts.clock;
    this.log = parts.log;
    this.endings = new Endings(parts.clock, (secret) => this.end(secret));
  }

  /** Of the remembered secrets. */
  get counts(): CacheCounts {
    return { hits: this.hits, misses: this.misses, entries: this.remembered.size };
  }

  /** No key is believed. */
  get isRefusing(): boolean {
    return this.hearing === 'refusing';
  }

  /** Since the store was last heard; 0 while it is. */
  get unheardSeconds(): number {
    return this.hearing === 'heard' ? 0 : (performance.now() - this.heardAt) / 1_000;
  }

  /** What an operator is told of it; undefined while all is well. */
  get complaint(): string | undefined {
    const [seconds, limit] = [Math.round(this.unheardSeconds), this.outageMs / 1_000];
    switch (this.hearing) {
      case 'heard':
        return undefined;
      case 'unheard':
        return `it has not been heard for ${seconds} s; keys that are remembered work for ${Math.max(0, limit - seconds)} s more`;
      case 'refusing':
        return `it has not been heard for ${seconds} s, and after ${limit} s (keys.outage_seconds) no key is let in`;
    }
  }

  async verify(secret: string, source: string): Promise<Principal | undefined> {
    // At once: whoever comes again and again must not wait for a store that is away.
    if (this.isRefusing) throw new HatiError('store_unreachable');
    const digest = createHmac('sha256', this.digestKey).update(secret).digest('base64');
    this.endings.check();
    const hit = this.remembered.get(digest);
    if (hit !== undefined) {
      this.hits += 1;
      this.noteUse(hit.keyId);
      return hit;
    }
    this.misses += 1;
    const underWay = this.underWay.get(digest);
    if (underWay !== undefined) return underWay;
    const verification = this.verifyInStore(secret, digest, source).finally(() =>
      this.underWay.delete(digest),
    );
    this.underWay.set(digest, verification);
    return verification;
  }

  private async verifyInStore(
    secret: string,
    digest: string,
    source: string,
  ): Promise<KeyPrincipal | undefined> {
    const prefix = lookupPrefix(secret);
    const stored =
      prefix === undefined ? undefined : await findActiveSecret(this.db, prefix, this.clock());
    if (!(await this.hasher.verify(stored?.hash, secret, source)) || stored === undefined) {
      return undefined;
    }
    // Ended while it was being verified.
    if (this.ended.has(stored.secretId)) return undefined;
    const principal: KeyPrincipal = {
      kind: 'key',
      keyId: stored.keyId,
      secretId: stored.secretId,
      environment: stored.environment,
      agent: stored.agent,
      authority: stored.authority,
      networks: this.changedNetworks.get(stored.secretId) ?? stored.networks,
    };
    this.willEnd(principal.secretId, stored.expiresAt);
    this.remembered.set(digest, principal);
    this.digests.set(principal.secretId, digest);
    this.noteUse(principal.keyId);
    return principal;
  }

  isCurrent(principal: Principal): boolean {
    return principal.kind === 'localAdministrator' || !this.ended.has(principal.secretId);
  }

  onEnded(listener: (secret: SecretId) => void): void {
    this.listeners.push(listener);
  }

  alsoWatch(secrets: () => Iterable<SecretId>): void {
    this.inUse = secrets;
  }

  onOutage(listener: () => void): void {
    this.outageListeners.push(listener);
  }

  /** A secret has ended: forget it and tell everybody who acts for it. */
  end(secret: SecretId): void {
    if (this.ended.has(secret)) return;
    this.ended.set(secret, true);
    this.endings.forget(secret);
    const digest = this.digests.get(secret);
    if (digest !== undefined) this.remembered.delete(digest);
    for (const listener of this.listeners) listener(secret);
  }

  onNetworks(listener: NetworksListener): void {
    this.networkListeners.push(listener);
  }

  /** From here a secret may be used from these networks. */
  networksAre(secret: SecretId, networks: readonly string[]): void {
    this.changedNetworks.set(secret, networks);
    const digest = this.digests.get(secret) ?? '';
    const entry = this.remembered.peek(digest);
    if (entry !== undefined) this.remembered.set(digest, { ...entry, networks });
    for (const listener of this.networkListeners) listener(secret, networks);
  }

  /** A secret that is in use will end then. */
  willEnd(secret: SecretId, at: Date | undefined): void {
    if (at !== undefined && !this.ended.has(secret)) this.endings.note(secret, at);
  }

  /** Changes can be heard again: catch up on what ended in between. */
  async resume(): Promise<void> {
    const known = [...new Set([...this.digests.keys(), ...this.inUse()])];
    if (known.length > 0) {
      const active = await activeAmong(this.db, known, this.clock());
      for (const secret of known) {
        const found = active.get(secret);
        if (found === undefined) this.end(secret);
        else {
          this.willEnd(secret, found.expiresAt);
          this.networksAre(secret, found.networks);
        }
      }
    }
    const seconds = Math.round(this.unheardSeconds);
    if (this.isRefusing) this.log.info({ seconds }, 'keys are believed again');
    this.hearing = 'heard';
    clearTimeout(this.outageTimer);
  }

  /**
   * From this moment changes can't be heard.
   * @param heardAt when the store last answered, by `performance.now()`
   */
  suspend(heardAt: number): void {
    if (this.hearing !== 'heard') return;
    this.hearing = 'unheard';
    this.heardAt = heardAt;
    this.changedNetworks.clear();
    const leftMs = Math.max(0, heardAt + this.outageMs - performance.now());
    const seconds = Math.round(leftMs / 1_000);
    this.log.warn({ seconds }, 'only keys that are remembered are let in, for so many seconds');
    clearTimeout(this.outageTimer);
    this.outageTimer = setTimeout(() => this.refuse(), leftMs).unref();
  }

  private refuse(): void {
    if (this.hearing !== 'unheard') return;
    this.hearing = 'refusing';
    const seconds = Math.round(this.unheardSeconds);
    this.log.error({ seconds }, 'the control store was away for too long: no key is believed');
    for (const listener of this.outageListeners) listener();
  }

  private noteUse(keyId: KeyId): void {
    this.uses.set(keyId, new Date());
    this.flushTimer ??= setTimeout(() => void this.flushUses(), useFlushMs).unref();
  }

  /** Writes noted uses to the store; `last_used_at` is never older than this after it. */
  flushUses(): Promise<void> {
    clearTimeout(this.flushTimer);
    this.flushTimer = undefined;
    const uses = this.uses;
    this.uses = new Map();
    if (uses.size > 0) {
      this.flushing = this.flushing
        .then(() => noteUses(this.db, uses))
        .catch((error: unknown) => {
          this.log.warn({ err: error }, 'last_used_at could not be written');
        });
    }
    return this.flushing;
  }
}
