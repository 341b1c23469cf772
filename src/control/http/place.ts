import type { Kysely } from 'kysely';
import {
  isPermission,
  permissions,
  roleMay,
  scopesMay,
  type Permission,
  type Role,
} from '../../api/permissions.ts';
import type { Route } from '../../api/route.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import { mayUsePassword, type Caller, type KeyCaller, type UserCaller } from '../caller.ts';
import { holdKey } from '../keys/store.ts';
import type { Place } from './binding.ts';

/**
 * Finds what a path names and whether the caller may do there what the route is for. Whatever belongs to another organization is not
 * there for him, with the same words as what does not exist.
 *
 * @param now in the transaction of an act: what the caller is there stays so until its end
 */
export async function placeFor(
  db: Kysely<ControlSchema>,
  route: Route,
  params: Readonly<Record<string, string | undefined>>,
  caller: Caller,
  now?: Date,
): Promise<Place> {
  const { access } = route;
  if (caller.kind === 'key') {
    const place = ofKey(params, caller);
    if (access === 'user' || access === 'account') throw new HatiError('not_for_keys');
    if (isPermission(access)) refuseKey(access, caller);
    return now === undefined ? place : { ...place, bounds: await holdKey(db, caller, now) };
  }
  const place = await ofUser(db, params, caller, now !== undefined);
  if (access === 'account' && caller.method === 'sso') throw new HatiError('not_for_sso');
  if (isPermission(access)) refuseUser(access, place.role ?? caller.role);
  return place;
}

type Params = Readonly<Record<string, string | undefined>>;

/** A key is good in its own environment only. */
function ofKey({ org_id: orgId, env_id: envId }: Params, caller: KeyCaller): Place {
  if (orgId !== undefined && orgId !== caller.orgId) throw unknown('organization');
  if (envId !== undefined && envId !== caller.envId) throw unknown('environment');
  return { orgId: caller.orgId, envId: caller.envId };
}

async function ofUser(
  db: Kysely<ControlSchema>,
  { org_id: orgId, env_id: envId }: Params,
  caller: UserCaller,
  holds: boolean,
): Promise<Place> {
  if (orgId === undefined && envId === undefined) return {};
  const what = envId === undefined ? 'organization' : 'environment';
  // Nothing else has been looked at so far, and the store does not take every text.
  if (!isId(orgId) || !isId(envId)) throw unknown(what);
  let membership = db
    .selectFrom('memberships as m')
    .innerJoin('organizations as o', 'o.org_id', 'm.org_id')
    .select(['o.org_id', 'm.role', 'o.mfa_required', 'o.enforce_sso'])
    .where('m.user_id', '=', caller.userId)
    .where('m.status', '=', 'active')
    .where('o.status', '=', 'active');
  if (orgId !== undefined) membership = membership.where('o.org_id', '=', orgId);
  if (envId !== undefined)
    membership = membership
      .innerJoin('environments as e', 'e.org_id', 'o.org_id')
      .where('e.env_id', '=', envId);
  // A provider says who somebody is in its own organization, and nowhere else.
  if (caller.method === 'sso') membership = membership.where('o.org_id', '=', caller.orgId);
  if (holds) membership = membership.forShare('m');
  const found = await membership.executeTakeFirst();
  if (found === undefined) throw unknown(what);
  if (!mayUsePassword(found) && caller.method === 'password') throw new HatiError('sso_required');
  if (found.mfa_required && !caller.hasSecondFactor) throw new HatiError('second_factor_required');
  return {
    orgId: found.org_id,
    role: found.role as Role,
    ...(envId !== undefined && { envId }),
  };
}

function isId(text: string | undefined): boolean {
  return text === undefined || /^\w+$/.test(text);
}

function refuseUser(permission: Permission, role: Role): void {
  if (!roleMay(role, permission)) throw missing(permission, `the role ${role}`);
}

function refuseKey(permission: Permission, { authority }: KeyCaller): void {
  if (permissions[permission].scope === null) throw new HatiError('not_for_keys');
  if (!scopesMay(authority.scopes, permission)) throw missing(permission, 'this key');
}

function missing(permission: Permission, who: string): HatiError {
  return new HatiError('permission_missing', {
    params: { permission, who },
    details: { permission },
  });
}

function unknown(what: string): HatiError {
  return new HatiError('resource_unknown', { params: { what } });
}
