import type { Kysely } from 'kysely';
import {
  collectOwnSecret,
  collectSecret,
  createKey,
  listKeys,
  readKey,
  revokeKey,
  rotateKey,
  updateKey,
} from '../../api/keys.ts';
import { pageFrom } from '../../api/paging.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import { authorityOf, parseScopes, type Authority } from '../../policy/authority.ts';
import { readNetwork } from '../../shared/networks.ts';
import type { Clock } from '../../shared/clock.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import type { Act } from '../act.ts';
import { idOf, type Caller } from '../caller.ts';
import { bind, type Binding, type Place } from '../http/binding.ts';
import { positionBehind } from '../http/cursor.ts';
import { refuseOtherVersion } from '../http/version.ts';
import { authorityOfRole } from './role-authority.ts';
import { findKeyRow, listKeyRows, type KeyRow } from './list.ts';
import {
  checkedAgent,
  checkedAuthority,
  checkedDescription,
  lookupPrefix,
  shownPrefix,
} from './model.ts';
import type { KeyActor } from './actor.ts';
import type { KeyService } from './service.ts';
import { lockKey, type LockedKey } from './store.ts';

export interface KeyRoutesParts {
  readonly db: Kysely<ControlSchema>;
  readonly keys: KeyService;
  readonly box: SecretBox;
  readonly clock: Clock;
}

const dayMs = 24 * 3_600_000;

export function keyBindings({ db, keys, box, clock }: KeyRoutesParts): readonly Binding[] {
  const collected = async (act: Act, actor: KeyActor, key: LockedKey, orgId: string) => {
    refuseEnded(key, act.now);
    const { secret, issuedAt } = await keys.collect(act, actor, key, { box, orgId });
    return {
      body: {
        key_id: key.keyId,
        new_key: secret,
        new_prefix: shownPrefix(lookupPrefix(secret)!),
        rotated_at: issuedAt.toISOString(),
      },
    };
  };
  return [
    bind(listKeys, async ({ params, query }) => {
      const behind = positionBehind(query.cursor, 'key_');
      const { status, name, limit } = query;
      const now = clock();
      const envId = params.env_id;
      const { rows, total } = await listKeyRows(db, { envId, status, name, now, limit, behind });
      const body = pageFrom(rows, {
        limit,
        total,
        item: (row) => listed(row, now),
        position: (row) => [row.created_at.toISOString(), row.key_id],
      });
      return { body };
    }),
    bind(readKey, async ({ params }) => {
      const row = await findKeyRow(db, params.env_id, params.key_id);
      if (row === undefined) throw unknownKey();
      return { body: listed(row, clock()), version: row.version };
    }),
    bind(createKey, async ({ params, body, caller, change }) => {
      const wish = {
        envId: params.env_id,
        name: checkedAgent(body.name),
        authority: wishedAuthority(body.scopes, body.limits),
        description: checkedDescription(body.description),
        networks: body.ip_allowlist.map(checkedNetwork),
        givenScopes: body.scopes,
        rotateEveryDays: body.rotate_every_days ?? null,
      };
      return await change(async (act, place) => {
        const actor = actorOf(caller, place);
        const { expires_in_days: days } = body;
        const expiresAt = days === undefined ? null : new Date(act.now.getTime() + days * dayMs);
        const issued = await keys.create(act, actor, { ...wish, expiresAt });
        const row = await findKeyRow(act.tx, wish.envId, issued.keyId);
        const { last_used_at: _, ...shown } = listed(row!, act.now);
        return { body: { ...shown, key: issued.secret }, version: row!.version };
      });
    }),
    bind(rotateKey, async ({ params, body, caller, change }) => {
      const graceHours = body?.grace_period_hours ?? 72;
      return await change(async (act, place) => {
        const actor = actorOf(caller, place);
        const key = await lockedKey(act, params.env_id, params.key_id);
        refuseEnded(key, act.now);
        const how = { graceHours, isRest: true };
        const { secret, prefix, oldEndsAt } = await keys.rotate(act, actor, key, how);
        return {
          body: {
            key_id: key.keyId,
            new_key: secret,
            new_prefix: shownPrefix(prefix),
            old_key_expires_at: oldEndsAt.toISOString(),
            grace_period_hours: graceHours,
            rotated_at: act.now.toISOString(),
            rotated_by: actor.id,
          },
        };
      });
    }),
    bind(updateKey, async ({ params, body, caller, ifVersion, change }) => {
      const { description, ip_allowlist: networks, rotate_every_days: rotateEveryDays } = body;
      const wanted = {
        ...(description !== undefined && { description: checkedDescription(description) }),
        ...(networks && { networks: networks.map(checkedNetwork) }),
        ...(rotateEveryDays !== undefined && { rotateEveryDays }),
      };
      const { env_id: envId, key_id: keyId } = params;
      const row = await change(async (act, place) => {
        const key = await lockedKey(act, envId, keyId);
        refuseEnded(key, act.now);
        refuseOtherVersion(key.version, ifVersion);
        const before = changeable((await findKeyRow(act.tx, envId, keyId))!);
        const update = { change: wanted, before, orgId: place.orgId! };
        await keys.update(act, actorOf(caller, place), key, update);
        return (await findKeyRow(act.tx, envId, keyId))!;
      });
      return { body: listed(row, clock()), version: row.version };
    }),
    bind(collectSecret, async ({ params, caller, change }) =>
      change(async (act, place) => {
        const key = await lockedKey(act, params.env_id, params.key_id);
        return await collected(act, actorOf(caller, place), key, place.orgId!);
      }),
    ),
    bind(collectOwnSecret, async ({ caller, change }) => {
      if (caller.kind !== 'key') throw new HatiError('only_for_keys');
      return await change(async (act, place) => {
        const key = await lockedKey(act, caller.envId, caller.keyId);
        return await collected(act, actorOf(caller, place), key, caller.orgId);
      });
    }),
    bind(revokeKey, async ({ params, caller, change }) => {
      const { key, revokedAt, revokedBy } = await change(async (act, place) => {
        const actor = actorOf(caller, place);
        const key = await lockedKey(act, params.env_id, params.key_id);
        if (key.revokedAt !== null)
          return { key, revokedAt: key.revokedAt, revokedBy: key.revokedBy ?? actor.id };
        await keys.revoke(act, actor, key, place.orgId!);
        return { key, revokedAt: act.now, revokedBy: actor.id };
      });
      return {
        body: {
          key_id: key.keyId,
          name: key.name,
          revoked: true as const,
          revoked_at: revokedAt.toISOString(),
          revoked_by: revokedBy,
        },
      };
    }),
  ];
}

/** A user may give what his role could do; a key, what it may itself. */
function actorOf(caller: Caller, { role, bounds }: Place): KeyActor {
  const authority = caller.kind === 'key' ? caller.authority : authorityOfRole(role ?? caller.role);
  const receiver = caller.kind === 'key' ? caller.secretId : caller.userId;
  return { id: idOf(caller), receiver, authority, bounds };
}

function wishedAuthority(scopes: readonly string[], limits: object | undefined): Authority {
  const wanted = limits === undefined ? null : JSON.stringify(limits);
  const known = parseScopes(scopes.join(','))!;
  const { limits: within, functions } = checkedAuthority(scopes.join(','), wanted);
  return authorityOf(known, within, functions);
}

function checkedNetwork(text: string, at: number): string {
  const network = readNetwork(text);
  if (network !== undefined) return network;
  throw new HatiError('request_invalid', {
    params: {
      message: `ip_allowlist: ${JSON.stringify(text)} is not a network such as 203.0.113.0/24 or 2001:db8::/32`,
    },
    details: { field: `ip_allowlist.${at}`, constraint: 'cidr' },
  });
}

async function lockedKey(act: Act, envId: string, keyId: string): Promise<LockedKey> {
  const key = await lockKey(act.tx, envId, keyId);
  if (key === undefined) throw unknownKey();
  return key;
}

function refuseEnded({ revokedAt, expiresAt }: LockedKey, now: Date): void {
  const state =
    revokedAt !== null ? 'revoked' : expiresAt !== null && expiresAt <= now && 'expired';
  if (state !== false)
    throw new HatiError('conflict', {
      params: { message: `the key is ${state}: make a new one` },
      details: { state },
    });
}

function unknownKey(): HatiError {
  return new HatiError('resource_unknown', { params: { what: 'API key' } });
}

/** What a PATCH may change. */
function changeable(row: KeyRow) {
  return {
    description: row.description,
    networks: row.ip_allowlist,
    rotateEveryDays: row.rotate_every_days,
  };
}

function listed(row: KeyRow, now: Date) {
  const isExpired = row.expires_at !== null && row.expires_at <= now;
  return {
    key_id: row.key_id,
    name: row.agent_id,
    prefix: shownPrefix(row.prefix),
    scopes: row.given_scopes ?? [...(parseScopes(row.scope) ?? [])],
    ip_allowlist: row.ip_allowlist,
    status:
      row.revoked_at !== null
        ? ('revoked' as const)
        : isExpired
          ? ('expired' as const)
          : ('active' as const),
    ...(row.description !== '' && { description: row.description }),
    ...(row.limits !== null && { limits: JSON.parse(row.limits) as object }),
    ...(row.rotate_every_days !== null && { rotate_every_days: row.rotate_every_days }),
    ...(row.next_rotation_at && { next_rotation_at: row.next_rotation_at.toISOString() }),
    last_used_at: row.last_used_at?.toISOString() ?? null,
    expires_at: row.expires_at?.toISOString() ?? null,
    created_at: row.created_at.toISOString(),
    created_by: row.created_by,
  };
}
