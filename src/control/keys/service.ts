import { randomUUID } from 'node:crypto';
import { tiers } from '../../api/tiers.ts';
import { HatiError } from '../../errors.ts';
import type { Authority } from '../../policy/authority.ts';
import { printGrants } from '../../policy/limits.ts';
import type { SecretId } from '../../ports.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import { brokenIndex, type Act } from '../act.ts';
import { refuseStronger, refuseWider, type KeyActor } from './actor.ts';
import type { KeyHasher } from './hasher.ts';
import {
  lookupPrefix,
  newEnvironmentSecret,
  newKeyId,
  newSecret,
  shownPrefix,
  uncollectedPurpose,
} from './model.ts';
import {
  countKeys,
  insertKey,
  lockEnvironment,
  markRevoked,
  type KeyPlace,
  type LockedKey,
} from './store.ts';
import { endSecrets, endSecretsAt, insertSecret } from './secret-store.ts';
import { changeKey, type KeyChange } from './changes.ts';
import { forgetUncollected, noteRotation, takeUncollected } from './schedule-store.ts';

export interface KeyWish {
  readonly envId: string;
  readonly name: string;
  readonly authority: Authority;
  readonly description: string;
  readonly expiresAt: Date | null;
  readonly networks: readonly string[];
  /** As given over REST; null: made by SQL, whose secrets look different. */
  readonly givenScopes: readonly string[] | null;
  /** null: only by hand. */
  readonly rotateEveryDays: number | null;
}

export interface IssuedKey {
  readonly keyId: string;
  readonly secret: string;
  readonly prefix: string;
}

export interface KeyUpdate {
  readonly change: KeyChange;
  /** What it was, as far as it can be changed. */
  readonly before: KeyChange;
  readonly orgId: string;
}

export interface Rotation {
  readonly graceHours: number;
  /** Secrets made by SQL look different. */
  readonly isRest: boolean;
  /** By its schedule. */
  readonly isAutomatic?: boolean;
}

export interface Rotated extends IssuedKey {
  readonly secretId: string;
  /** Those that there were. */
  readonly oldEndsAt: Date;
}

const hourMs = 3_600_000;

/** Keys, whoever asks for them: by SQL, over REST, on the command line. Each act is part of its caller's transaction. */
export class KeyService {
  private readonly hasher: KeyHasher;
  private readonly onEnded: (secrets: readonly SecretId[]) => void;

  /** @param onEnded told in this process at once; the others hear of it from the store. */
  constructor(hasher: KeyHasher, onEnded: (secrets: readonly SecretId[]) => void) {
    this.hasher = hasher;
    this.onEnded = onEnded;
  }

  async create(act: Act, actor: KeyActor, wish: KeyWish): Promise<IssuedKey> {
    const { envId, name, authority, description, expiresAt, networks, givenScopes } = wish;
    const { rotateEveryDays } = wish;
    refuseStronger(actor, authority, name);
    refuseWider(actor, wish, name);
    const place = await placeOf(act, envId);
    await refuseTooMany(act, envId, place);
    const keyId = newKeyId();
    const issued = await this.issue(secretFor(givenScopes, authority, place));
    try {
      await insertKey(act.tx, {
        keyId,
        envId,
        name,
        authority,
        description,
        createdBy: actor.id,
        createdAt: act.now,
        expiresAt,
        networks,
        givenScopes,
        rotateEveryDays,
      });
    } catch (error) {
      if (brokenIndex(error) === 'api_keys_active_name')
        throw new HatiError('key_name_taken', {
          params: { agent: name },
          details: { field: 'name', constraint: 'unique' },
        });
      throw error;
    }
    await insertSecret(act.tx, {
      ...issued.row,
      keyId,
      issuedAt: act.now,
      givenTo: actor.receiver,
    });
    act.record({
      action: 'key.created',
      target: name,
      orgId: place.orgId,
      envId,
      detail: {
        keyId,
        scope: authority.scope,
        limits: printGrants(authority),
        description,
        expiresAt,
        networks,
        rotateEveryDays,
      },
    });
    act.emit({
      type: 'key.created',
      orgId: place.orgId,
      envId,
      data: {
        key_id: keyId,
        name,
        prefix: shownPrefix(issued.row.prefix),
        scopes: [...(givenScopes ?? authority.scopes)],
        expires_at: expiresAt?.toISOString() ?? null,
        created_by: actor.id,
      },
    });
    return { keyId, secret: issued.secret, prefix: issued.row.prefix };
  }

  /** `graceHours` is how long the secrets that there are go on; 0: they end at once. */
  async rotate(
    act: Act,
    actor: KeyActor,
    key: LockedKey,
    { graceHours, isRest, isAutomatic = false }: Rotation,
  ): Promise<Rotated> {
    const { keyId, envId, name, authority } = key;
    refuseStronger(actor, authority, name);
    refuseWider(actor, key, name);
    const place = await placeOf(act, envId);
    const issued = await this.issue(secretFor(isRest ? [] : null, authority, place));
    const oldEndsAt = new Date(act.now.getTime() + graceHours * hourMs);
    if (graceHours === 0) await this.end(act, keyId);
    else await endSecretsAt(act.tx, keyId, oldEndsAt);
    await insertSecret(act.tx, {
      ...issued.row,
      keyId,
      issuedAt: act.now,
      givenTo: actor.receiver,
    });
    await noteRotation(act.tx, keyId, act.now);
    const { orgId } = place;
    const { secretId, prefix } = issued.row;
    const detail = { keyId, graceHours, oldEndsAt, ...(isAutomatic && { isAutomatic }) };
    act.record({ action: 'key.rotated', target: name, orgId, envId, detail });
    act.emit({
      type: 'key.rotated',
      orgId,
      envId,
      data: {
        key_id: keyId,
        name,
        new_prefix: shownPrefix(prefix),
        old_key_expires_at: oldEndsAt.toISOString(),
        grace_period_hours: graceHours,
        rotated_at: act.now.toISOString(),
        rotated_by: actor.id,
        automatic: isAutomatic,
      },
    });
    return { keyId, secretId, secret: issued.secret, prefix, oldEndsAt };
  }

  async revoke(act: Act, actor: KeyActor, key: LockedKey, orgId: string): Promise<void> {
    const { keyId, envId, name, authority } = key;
    refuseStronger(actor, authority, name);
    await this.end(act, keyId);
    await markRevoked(act.tx, keyId, { at: act.now, who: actor.id });
    await forgetUncollected(act.tx, keyId);
    act.record({ action: 'key.revoked', target: name, orgId, envId, detail: { keyId } });
    act.emit({
      type: 'key.revoked',
      orgId,
      envId,
      data: { key_id: keyId, name, revoked_at: act.now.toISOString(), revoked_by: actor.id },
    });
  }

  async update(
    act: Act,
    actor: KeyActor,
    key: LockedKey,
    { change, before, orgId }: KeyUpdate,
  ): Promise<void> {
    const { keyId, envId, name, authority } = key;
    refuseStronger(actor, authority, name);
    if (change.networks !== undefined)
      refuseWider(actor, { ...key, networks: change.networks }, name);
    if (Object.keys(change).length === 0) return;
    await changeKey(act.tx, keyId, act.now, change);
    const detail = { keyId, before, after: { ...before, ...change } };
    act.record({ action: 'key.updated', target: name, orgId, envId, detail });
  }

  /** The secret that its schedule has made, for the first who asks. Throws where none waits. */
  async collect(
    act: Act,
    actor: KeyActor,
    key: LockedKey,
    { box, orgId }: { readonly box: SecretBox; readonly orgId: string },
  ): Promise<{ readonly secret: string; readonly issuedAt: Date }> {
    const { keyId, envId, name, authority } = key;
    refuseStronger(actor, authority, name);
    refuseWider(actor, key, name);
    const taken = await takeUncollected(act.tx, keyId, actor.receiver);
    if (taken === undefined) throw new HatiError('nothing_to_collect');
    const { secretId, sealed, createdAt: issuedAt } = taken;
    const detail = { keyId, issuedAt };
    act.record({ action: 'key.secret_collected', target: name, orgId, envId, detail });
    return { secret: box.open(sealed, uncollectedPurpose(secretId)), issuedAt };
  }

  private async end(act: Act, keyId: string): Promise<void> {
    const ended = await endSecrets(act.tx, keyId, act.now);
    act.afterwards(() => this.onEnded(ended));
  }

  private async issue(secret: string): Promise<{
    secret: string;
    row: { secretId: string; prefix: string; hash: string };
  }> {
    const hash = await this.hasher.hash(secret);
    return { secret, row: { secretId: randomUUID(), prefix: lookupPrefix(secret)!, hash } };
  }
}

function secretFor(
  givenScopes: readonly string[] | null,
  { scope }: Authority,
  { kind }: KeyPlace,
): string {
  return givenScopes === null ? newSecret(scope) : newEnvironmentSecret(kind);
}

/** Where a secret may be made. */
async function placeOf(act: Act, envId: string): Promise<KeyPlace> {
  const place = await lockEnvironment(act.tx, envId);
  if (place === undefined)
    throw new HatiError('resource_unknown', { params: { what: 'environment' } });
  if (place.status === 'active') return place;
  throw new HatiError('conflict', {
    params: { message: `the environment is ${place.status}` },
    details: { status: place.status },
  });
}

async function refuseTooMany(act: Act, envId: string, { tier }: KeyPlace): Promise<void> {
  const limit = tiers[tier].keysPerEnvironment;
  if (limit === Infinity || (await countKeys(act.tx, envId, limit)) < limit) return;
  throw new HatiError('too_many_keys', { params: { limit }, details: { limit } });
}
