import type { Kysely } from 'kysely';
import {
  createOrganization,
  deleteOrganization,
  listOrganizations,
  listOrgs,
  readOrganization,
  transferOrganization,
  updateOrganization,
} from '../../api/organizations.ts';
import { pageFrom } from '../../api/paging.ts';
import type { Role } from '../../api/permissions.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { Caller, UserCaller } from '../caller.ts';
import { bind, type Binding, type Call } from '../http/binding.ts';
import { positionBehind } from '../http/cursor.ts';
import { createdOrganizationOf, listedOrganizationOf, organizationOf, roleIn } from './model.ts';
import type { OrganizationService } from './service.ts';
import { findOrganization, listOrganizationsOf, ssoProviderOf } from './store.ts';

export interface OrganizationRoutesParts {
  readonly db: Kysely<ControlSchema>;
  readonly organizations: OrganizationService;
}

export function organizationBindings({
  db,
  organizations,
}: OrganizationRoutesParts): readonly Binding[] {
  const list = async ({
    query,
    caller,
  }: Pick<Call<typeof listOrganizations>, 'query' | 'caller'>) => {
    const behind = positionBehind(query.cursor, 'org_');
    if (caller.kind === 'key') return { body: await ownOf(db, caller.orgId, null) };
    if (caller.method === 'sso') return { body: await ownOf(db, caller.orgId, caller.role) };
    const { limit } = query;
    const { rows, total } = await listOrganizationsOf(db, caller.userId, { limit, behind });
    const body = pageFrom(rows, {
      limit,
      total,
      item: (row) => listedOrganizationOf(row, roleIn(row)),
      position: (row) => [row.created_at.toISOString(), row.org_id],
    });
    return { body };
  };
  return [
    bind(createOrganization, ({ body, caller, change }) =>
      change(async (act) => {
        const row = await organizations.create(act, caller, body);
        return { body: createdOrganizationOf(row), version: row.version };
      }),
    ),
    bind(listOrganizations, list),
    bind(listOrgs, list),
    bind(readOrganization, async ({ params }) => {
      const row = await findOrganization(db, params.org_id);
      if (row === undefined)
        throw new HatiError('resource_unknown', { params: { what: 'organization' } });
      return {
        body: organizationOf(row, await ssoProviderOf(db, row.org_id)),
        version: row.version,
      };
    }),
    bind(updateOrganization, async ({ params, body, caller, ifVersion, change }) => {
      const wish = { orgId: params.org_id, ifVersion, change: body };
      const row = await change((act) => organizations.update(act, userOf(caller), wish));
      return {
        body: organizationOf(row, await ssoProviderOf(db, row.org_id)),
        version: row.version,
      };
    }),
    bind(deleteOrganization, async ({ params, caller, ifVersion, change }) => {
      const orgId = params.org_id;
      const user = userOf(caller);
      const at = await change(async (act) => {
        await organizations.delete(act, user, { orgId, ifVersion });
        return act.now;
      });
      return {
        body: {
          org_id: orgId,
          deleted: true as const,
          deleted_at: at.toISOString(),
          deleted_by: user.userId,
        },
      };
    }),
    bind(transferOrganization, async ({ params, body, caller, change }) => {
      const { org_id: orgId } = params;
      const owner = userOf(caller);
      const at = await change(async (act) => {
        await organizations.transfer(act, owner, orgId, body.user_id);
        return act.now;
      });
      return {
        body: {
          org_id: orgId,
          owner: body.user_id,
          previous_owner: owner.userId,
          transferred_at: at.toISOString(),
        },
      };
    }),
  ];
}

/** The permissions of these routes are not for keys (`scope: null`). */
function userOf(caller: Caller): UserCaller {
  if (caller.kind !== 'user') throw new HatiError('not_for_keys');
  return caller;
}

async function ownOf(db: Kysely<ControlSchema>, orgId: string, role: Role | null) {
  const row = await findOrganization(db, orgId);
  const data = row === undefined ? [] : [listedOrganizationOf(row, role)];
  return { data, pagination: { cursor: null, has_more: false, total: data.length } };
}
