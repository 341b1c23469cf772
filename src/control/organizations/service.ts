import type { BodyOf } from '../../api/route.ts';
import type { createOrganization, updateOrganization } from '../../api/organizations.ts';
import { HatiError } from '../../errors.ts';
import { newId } from '../../shared/ids.ts';
import { brokenIndex, type Act } from '../act.ts';
import type { UserCaller } from '../caller.ts';
import { refuseOtherVersion } from '../http/version.ts';
import { revokeKeys } from '../keys/secret-store.ts';
import { endSessions } from '../auth/store.ts';
import { tellChanged } from '../environments/store.ts';
import { makeOwner } from '../users/store.ts';
import {
  archiveEnvironments,
  changeOrganization,
  changeOwner,
  deleteSso,
  deleteWebhooks,
  holdsFirstEnvironment,
  insertOrganization,
  isOfSso,
  lockOrganization,
  ownerOf,
  ssoProviderOf,
  type OrganizationRow,
} from './store.ts';

type Wish = BodyOf<typeof createOrganization>;
type Change = BodyOf<typeof updateOrganization>;

/** Organizations. Each act is part of its caller's transaction. */
export class OrganizationService {
  async create(act: Act, caller: UserCaller, wish: Wish): Promise<OrganizationRow> {
    const { settings = {} } = wish;
    refuseLockOut(caller, settings);
    if (settings.enforce_sso === true) throw new HatiError('sso_missing');
    return await this.found(act, caller.userId, wish);
  }

  /** @param ownerId who is its owner from the start */
  async found(act: Act, ownerId: string, wish: Wish): Promise<OrganizationRow> {
    const { name, slug, billing_email, cloud_region, settings = {} } = wish;
    const row: OrganizationRow = {
      org_id: newId('org_'),
      name,
      slug,
      billing_email,
      cloud_region,
      tier: 'free',
      status: 'active',
      mfa_required: settings.mfa_required ?? false,
      enforce_sso: settings.enforce_sso ?? false,
      version: 1,
      created_at: act.now,
      updated_at: act.now,
    };
    await orSlugTaken(slug, insertOrganization(act.tx, row));
    await makeOwner(act.tx, { orgId: row.org_id, userId: ownerId, at: act.now });
    act.record({
      action: 'organization.created',
      actor: ownerId,
      target: row.org_id,
      orgId: row.org_id,
      detail: { after: recorded(row), owner: ownerId },
    });
    return row;
  }

  /** @param ifVersion only where it is at this version still */
  async update(
    act: Act,
    caller: UserCaller,
    { orgId, ifVersion, change }: { orgId: string; ifVersion: number | undefined; change: Change },
  ): Promise<OrganizationRow> {
    const before = await locked(act, orgId, ifVersion);
    const { settings = {}, ...fields } = change;
    if (!before.mfa_required) refuseLockOut(caller, settings);
    const wanted = Object.entries({ ...fields, ...settings }).filter(
      ([field, value]) => value !== undefined && before[field as keyof OrganizationRow] !== value,
    );
    if (wanted.length === 0) return before;
    const isEnforced = wanted.some(([field, value]) => field === 'enforce_sso' && value === true);
    if (isEnforced && (await ssoProviderOf(act.tx, orgId)) === undefined)
      throw new HatiError('sso_missing');
    const after = await orSlugTaken(
      change.slug ?? before.slug,
      changeOrganization(act.tx, orgId, { ...Object.fromEntries(wanted), updated_at: act.now }),
    );
    const ended = isEnforced ? { sessionsEnded: await endPasswordSessions(act, orgId) } : {};
    const only = (row: OrganizationRow) =>
      Object.fromEntries(wanted.map(([field]) => [field, row[field as keyof OrganizationRow]]));
    act.record({
      action: 'organization.updated',
      target: orgId,
      orgId,
      detail: { before: only(before), after: only(after), ...ended },
    });
    return after;
  }

  async delete(
    act: Act,
    caller: UserCaller,
    { orgId, ifVersion }: { orgId: string; ifVersion: number | undefined },
  ): Promise<void> {
    const before = await locked(act, orgId, ifVersion);
    if (await holdsFirstEnvironment(act.tx, orgId)) {
      throw new HatiError('conflict', {
        params: {
          message:
            'this organization has the environment whose engine is that of the configuration, so it stays',
        },
        details: { constraint: 'first_environment' },
      });
    }
    await changeOrganization(act.tx, orgId, { status: 'deleted', updated_at: act.now });
    const environments = await archiveEnvironments(act.tx, orgId, act.now);
    for (const envId of environments) await tellChanged(act.tx, envId);
    const keys = await revokeKeys(act.tx, environments, { at: act.now, who: caller.userId });
    await deleteWebhooks(act.tx, orgId);
    await deleteSso(act.tx, orgId);
    const sessions = await endSessions(act.tx, {
      at: act.now,
      orgId,
      reason: 'organization_deleted',
    });
    act.record({
      action: 'organization.deleted',
      target: orgId,
      orgId,
      detail: {
        before: recorded(before),
        environmentsArchived: environments.length,
        keysRevoked: keys,
        sessionsEnded: sessions,
      },
    });
  }

  async transfer(act: Act, owner: UserCaller, orgId: string, userId: string): Promise<void> {
    await locked(act, orgId, undefined);
    if (userId === owner.userId) {
      throw new HatiError('conflict', { params: { message: 'this user owns it already' } });
    }
    if (await isOfSso(act.tx, orgId, userId)) {
      throw new HatiError('conflict', {
        params: {
          message:
            'an owner needs a password, for when the provider is broken, and this account logs in by single sign-on alone',
        },
        details: { constraint: 'password' },
      });
    }
    if (!(await changeOwner(act.tx, orgId, { from: owner.userId, to: userId }))) {
      throw new HatiError('resource_unknown', { params: { what: 'active user' } });
    }
    act.record({
      action: 'organization.transferred',
      target: orgId,
      orgId,
      detail: { before: { owner: owner.userId }, after: { owner: userId } },
    });
  }
}

async function locked(
  act: Act,
  orgId: string,
  ifVersion: number | undefined,
): Promise<OrganizationRow> {
  const row = await lockOrganization(act.tx, orgId);
  if (row === undefined)
    throw new HatiError('resource_unknown', { params: { what: 'organization' } });
  refuseOtherVersion(row.version, ifVersion);
  return row;
}

/** Those of the owner go on. @returns how many */
async function endPasswordSessions(act: Act, orgId: string): Promise<number> {
  return await endSessions(act.tx, {
    at: act.now,
    reason: 'sso_enforced',
    orgId,
    method: 'password',
    exceptUserId: await ownerOf(act.tx, orgId),
  });
}

/** Whoever has no second factor himself would be out as soon as he asked for it. */
function refuseLockOut(
  { hasSecondFactor }: UserCaller,
  settings: { mfa_required?: boolean | undefined },
): void {
  if (settings.mfa_required === true && !hasSecondFactor)
    throw new HatiError('second_factor_first');
}

async function orSlugTaken<T>(slug: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (brokenIndex(error) !== 'organizations_slug') throw error;
    throw new HatiError('slug_taken', {
      params: { slug },
      details: { field: 'slug', constraint: 'unique' },
    });
  }
}

function recorded({ name, slug, billing_email, tier, mfa_required, enforce_sso }: OrganizationRow) {
  return { name, slug, billing_email, tier, mfa_required, enforce_sso };
}
