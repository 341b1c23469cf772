import type { Role } from '../../api/permissions.ts';
import { tiers } from '../../api/tiers.ts';
import type { ListedRow, OrganizationRow } from './store.ts';

/** An organization as the API shows it: `created` to who made it, `read` to its members, `listed` among others. */

function shown(row: OrganizationRow) {
  return {
    org_id: row.org_id,
    name: row.name,
    slug: row.slug,
    cloud_region: row.cloud_region,
    tier: row.tier,
    // The deleted ones are not there for anybody.
    status: row.status as Exclude<OrganizationRow['status'], 'deleted'>,
    settings: { mfa_required: row.mfa_required, enforce_sso: row.enforce_sso },
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

export function createdOrganizationOf(row: OrganizationRow) {
  return { ...shown(row), billing_email: row.billing_email };
}

/** @param ssoProvider undefined where there is none */
export function organizationOf(row: OrganizationRow, ssoProvider: string | undefined) {
  const created = createdOrganizationOf(row);
  const { monthlyCredits, concurrentQueries, storageGb } = tiers[row.tier];
  return {
    ...created,
    settings: {
      ...created.settings,
      ...(ssoProvider !== undefined && { sso_provider: ssoProvider }),
    },
    // Nobody is billed, and no credits are counted, by this version.
    stripe_customer_id: null,
    stripe_subscription_id: null,
    quotas: {
      monthly_credit_limit: orNull(monthlyCredits),
      used: 0,
      max_concurrent_queries: orNull(concurrentQueries),
      storage_limit_gb: orNull(storageGb),
    },
  };
}

export function listedOrganizationOf(row: OrganizationRow, role: Role | null) {
  return { ...shown(row), role };
}

export function roleIn(row: ListedRow): Role {
  return row.role as Role;
}

function orNull(limit: number): number | null {
  return limit === Infinity ? null : limit;
}
