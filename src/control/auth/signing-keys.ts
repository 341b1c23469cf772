import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK } from 'jose';
import type { CryptoKey, JWK } from 'jose';
import type { Kysely } from 'kysely';
import { accessTokenSeconds } from '../../api/auth.ts';
import type { ControlSchema } from '../../database/schema.ts';
import type { Clock } from '../../shared/clock.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import type { Act, Acts } from '../act.ts';
import { lock } from '../lock.ts';
import { dayMs } from './model.ts';

export const signingAlgorithm = 'RS256';

/** How long one signs new tokens. */
const signsMs = 30 * dayMs;
/** How long what was read of them is believed; for so long another instance may sign with one that was retired. */
const believedMs = 60_000;
/** How long one is known after it was retired: until the last token that it can have signed has ended. */
const knownMs = accessTokenSeconds * 1_000 + 2 * believedMs;

interface StoredKey {
  readonly kid: string;
  readonly public_jwk: JWK;
  readonly private_jwk: Buffer;
  readonly created_at: Date;
  readonly retired_at: Date | null;
}

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: CryptoKey;
}

export interface PublicKey {
  readonly kty: 'RSA';
  readonly use: 'sig';
  readonly alg: 'RS256';
  readonly kid: string;
  readonly n: string;
  readonly e: string;
}

export interface SigningKeysParts {
  readonly db: Kysely<ControlSchema>;
  readonly acts: Acts;
  readonly box: SecretBox;
  readonly clock: Clock;
}

/** What signs access tokens. All instances share them through the store; whoever first needs a new one makes it. */
export class SigningKeys {
  private readonly parts: SigningKeysParts;
  private read: { readonly keys: readonly StoredKey[]; readonly at: number } | undefined;
  /** By kid and which half. */
  private readonly imported = new Map<string, Promise<CryptoKey>>();

  constructor(parts: SigningKeysParts) {
    this.parts = parts;
  }

  /** To sign with. Never within an act: it may need one of its own. */
  async current(): Promise<SigningKey> {
    const found = (await this.known()).find((key) => this.signs(key));
    if (found !== undefined) return await this.opened(found);
    await this.parts.acts.run(ourselves, (act) => this.replace(act));
    this.read = undefined;
    const made = (await this.known()).find((key) => this.signs(key));
    return await this.opened(made!);
  }

  /** To verify with; undefined where nothing that it has signed can be good. */
  async find(kid: string): Promise<CryptoKey | undefined> {
    const isIt = (key: StoredKey): boolean => key.kid === kid;
    let found = (await this.known()).find(isIt);
    if (found === undefined) {
      // Another instance may have made it a moment ago.
      this.read = undefined;
      found = (await this.known()).find(isIt);
    }
    return found && (await this.import(`public ${kid}`, found.public_jwk));
  }

  async published(): Promise<readonly PublicKey[]> {
    const keys = await this.known();
    return keys.map(({ kid, public_jwk: { n, e } }) => ({
      kty: 'RSA',
      use: 'sig',
      alg: signingAlgorithm,
      kid,
      n: n!,
      e: e!,
    }));
  }

  private async known(): Promise<readonly StoredKey[]> {
    const now = this.parts.clock().getTime();
    if (this.read === undefined || now - this.read.at >= believedMs) {
      const keys = await this.parts.db
        .selectFrom('signing_keys')
        .selectAll()
        .orderBy('created_at', 'desc')
        .execute();
      this.read = { keys: keys as StoredKey[], at: now };
    }
    return this.read.keys.filter(
      ({ retired_at: retired }) => retired === null || retired.getTime() + knownMs > now,
    );
  }

  private signs({ retired_at: retired, created_at: created }: StoredKey): boolean {
    return retired === null && created.getTime() + signsMs > this.parts.clock().getTime();
  }

  private async replace(act: Act): Promise<void> {
    const { tx, now } = act;
    await lock(tx, 'signing_keys');
    const current = await tx
      .selectFrom('signing_keys')
      .select(['kid', 'created_at'])
      .where('retired_at', 'is', null)
      .executeTakeFirst();
    if (current !== undefined && current.created_at.getTime() + signsMs > now.getTime()) return;
    await tx
      .updateTable('signing_keys')
      .set({ retired_at: now })
      .where('retired_at', 'is', null)
      .execute();
    await tx
      .deleteFrom('signing_keys')
      .where('retired_at', '<=', new Date(now.getTime() - knownMs))
      .execute();
    const made = await newKey();
    await tx
      .insertInto('signing_keys')
      .values({
        kid: made.kid,
        public_jwk: JSON.stringify(made.publicJwk),
        private_jwk: this.parts.box.seal(JSON.stringify(made.privateJwk), purposeOf(made.kid)),
        created_at: now,
        retired_at: null,
      })
      .execute();
    act.record({
      action: 'signing_key.created',
      target: made.kid,
      orgId: null,
      detail: { replaces: current?.kid ?? null },
    });
  }

  private async opened({ kid, private_jwk: sealed }: StoredKey): Promise<SigningKey> {
    const name = `private ${kid}`;
    const known = this.imported.get(name);
    if (known !== undefined) return { kid, privateKey: await known };
    let text: string;
    try {
      text = this.parts.box.open(sealed, purposeOf(kid));
    } catch (cause) {
      throw new TypeError(
        `signing key ${kid} was sealed with another secret key: all proxies of a control store need the same one`,
        { cause },
      );
    }
    return { kid, privateKey: await this.import(name, JSON.parse(text) as JWK) };
  }

  private import(name: string, jwk: JWK): Promise<CryptoKey> {
    const known =
      this.imported.get(name) ?? (importJWK(jwk, signingAlgorithm) as Promise<CryptoKey>);
    this.imported.set(name, known);
    return known;
  }
}

/** Whoever's request needs a key, it is not he who makes it. */
const ourselves = {
  actor: 'control plane',
  actorKeyId: null,
  source: 'control plane',
  requestId: null,
};

function purposeOf(kid: string): string {
  return `signing_key:${kid}`;
}

async function newKey(): Promise<{ kid: string; publicJwk: JWK; privateJwk: JWK }> {
  const pair = await generateKeyPair(signingAlgorithm, { modulusLength: 2_048, extractable: true });
  const publicJwk = await exportJWK(pair.publicKey);
  const privateJwk = await exportJWK(pair.privateKey);
  return { kid: await calculateJwkThumbprint(publicJwk), publicJwk, privateJwk };
}
