import { createHmac, randomBytes } from 'node:crypto';
import type { Kysely } from 'kysely';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { CacheCounts } from '../../metrics/sources.ts';
import type { KeyDirectory, KeyId, Principal, SecretId } from '../../ports.ts';
import type { KeyHasher } from './hasher.ts';
import { lookupPrefix } from './model.ts';
import { activeAmong, findActiveSecret, noteUses } from './store.ts';

type KeyPrincipal = Extract<Principal, { kind: 'key' }>;

interface Remembered {
  readonly principal: KeyPrincipal;
  readonly verifiedAt: number;
}

/** Secrets that were verified are remembered under a digest that is worthless outside this process. */
const rememberedSecrets = 10_000;
/** While changes can't be heard, a remembered secret is good for this long; then the store is asked again. */
const deafMaxAgeMs = 60_000;
/** How many ended secrets are kept in mind, to catch a login that was under way when its secret ended. */
const rememberedEnds = 10_000;
const useFlushMs = 1_000;

/** Verifies secrets, remembers those that are good, and forgets them the moment they end. */
export class StoreKeyDirectory implements KeyDirectory {
  private readonly db: Kysely<ControlSchema>;
  private readonly hasher: KeyHasher;
  private readonly log: Logger;
  private readonly digestKey = randomBytes(32);
  private readonly remembered = new LRUCache<string, Remembered>({ max: rememberedSecrets });
  private readonly underWay = new Map<string, Promise<KeyPrincipal | undefined>>();
  private readonly known = new LRUCache<SecretId, true>({ max: rememberedSecrets });
  private readonly ended = new LRUCache<SecretId, true>({ max: rememberedEnds });
  private readonly listeners: ((secret: SecretId) => void)[] = [];
  private uses = new Map<KeyId, Date>();
  private flushTimer: NodeJS.Timeout | undefined;
  private flushing: Promise<void> = Promise.resolve();
  private hearsChanges = false;
  private hits = 0;
  private misses = 0;

  constructor(parts: { db: Kysely<ControlSchema>; hasher: KeyHasher; log: Logger }) {
    this.db = parts.db;
    this.hasher = parts.hasher;
    this.log = parts.log;
  }

  /** Of the remembered secrets. */
  get counts(): CacheCounts {
    return { hits: this.hits, misses: this.misses, entries: this.remembered.size };
  }

  async verify(secret: string, source: string): Promise<Principal | undefined> {
    const digest = createHmac('sha256', this.digestKey).update(secret).digest('base64');
    const hit = this.remembered.get(digest);
    if (hit !== undefined && (this.hearsChanges || Date.now() - hit.verifiedAt < deafMaxAgeMs)) {
      this.hits += 1;
      this.noteUse(hit.principal.keyId);
      return hit.principal;
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
    let stored: Awaited<ReturnType<typeof findActiveSecret>>;
    try {
      stored = prefix === undefined ? undefined : await findActiveSecret(this.db, prefix);
    } catch (error) {
      throw new HatiError('store_unreachable', { cause: error });
    }
    if (!(await this.hasher.verify(stored?.hash, secret, source)) || stored === undefined) {
      return undefined;
    }
    // Ended while it was being verified.
    if (this.ended.has(stored.secretId)) return undefined;
    const principal: KeyPrincipal = {
      kind: 'key',
      keyId: stored.keyId,
      secretId: stored.secretId,
      agent: stored.agent,
      authority: stored.authority,
    };
    this.remembered.set(digest, { principal, verifiedAt: Date.now() });
    this.known.set(principal.secretId, true);
    this.noteUse(principal.keyId);
    return principal;
  }

  isCurrent(principal: Principal): boolean {
    return principal.kind === 'localAdministrator' || !this.ended.has(principal.secretId);
  }

  onEnded(listener: (secret: SecretId) => void): void {
    this.listeners.push(listener);
  }

  /** A secret has ended: forget it and tell everybody who acts for it. */
  end(secret: SecretId): void {
    if (this.ended.has(secret)) return;
    this.ended.set(secret, true);
    this.known.delete(secret);
    for (const [digest, entry] of this.remembered.entries()) {
      if (entry.principal.secretId === secret) this.remembered.delete(digest);
    }
    for (const listener of this.listeners) listener(secret);
  }

  /** Changes can be heard again: catch up on what ended in between. */
  async resume(): Promise<void> {
    const known = [...this.known.keys()];
    if (known.length > 0) {
      const active = await activeAmong(this.db, known);
      for (const secret of known) if (!active.has(secret)) this.end(secret);
    }
    this.hearsChanges = true;
  }

  /** Changes can't be heard for now. */
  suspend(): void {
    this.hearsChanges = false;
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
