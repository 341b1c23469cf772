import type { Kysely } from 'kysely';
import type { BodyOf } from '../../api/route.ts';
import type { configureSso } from '../../api/single-sign-on.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import type { Act } from '../act.ts';
import { endSessions } from '../auth/store.ts';
import { refuseOtherVersion } from '../http/version.ts';
import { deleteSso, lockOrganization, type OrganizationRow } from '../organizations/store.ts';
import { secretPurpose } from './model.ts';
import type { Providers } from './provider.ts';
import { ProviderUnfit } from './provider-faults.ts';
import { findSso, forgetUnderWay, putSso, type SsoRow } from './store.ts';

type Wish = BodyOf<typeof configureSso>;

export interface SsoServiceParts {
  readonly db: Kysely<ControlSchema>;
  readonly providers: Providers;
  readonly box: SecretBox;
}

/** How an organization logs in. */
export class SsoService {
  private readonly parts: SsoServiceParts;

  constructor(parts: SsoServiceParts) {
    this.parts = parts;
  }

  /** Before the act: asks the provider. Throws `request_invalid`. @returns the issuer as its tokens have it */
  async checkedIssuer(issuer: string): Promise<string> {
    const { username, password, search, hash } = new URL(issuer);
    if (username + password + search + hash !== '')
      throw unfit('issuer', 'url', 'must have no user, query or fragment');
    try {
      return await this.parts.providers.check(issuer);
    } catch (error) {
      if (!(error instanceof ProviderUnfit)) throw error;
      throw unfit('issuer', 'discovery', error.message, error);
    }
  }

  /** @param issuer checked */
  async configure(
    act: Act,
    by: string,
    {
      orgId,
      issuer,
      wish,
      ifVersion,
    }: { orgId: string; issuer: string; wish: Wish; ifVersion: number | undefined },
  ): Promise<SsoRow> {
    await locked(act, orgId);
    const before = await findSso(act.tx, orgId);
    refuseOtherVersion(before?.version ?? 0, ifVersion);
    const { client_id, client_secret: secret, email_domains: domains, default_role } = wish;
    const isSame = before?.issuer === issuer && before.client_id === client_id;
    // One that is kept is for whom it was given, and is told to nobody else.
    if (secret === undefined && !isSame)
      throw unfit('client_secret', 'required', 'is needed with a new issuer or client_id');
    const after = await putSso(act.tx, orgId, {
      provider: wish.provider ?? new URL(issuer).hostname,
      issuer,
      client_id,
      client_secret:
        secret === undefined
          ? before!.client_secret
          : this.parts.box.seal(secret, secretPurpose(orgId)),
      email_domains: [...new Set(domains)],
      default_role,
      updated_at: act.now,
      updated_by: by,
    });
    await forgetUnderWay(act.tx, orgId);
    const isOther = before !== undefined && before.issuer !== issuer;
    const sessionsEnded = isOther ? await endSsoSessions(act, orgId) : 0;
    act.record({
      action: 'sso.configured',
      target: orgId,
      orgId,
      detail: {
        before: before === undefined ? null : recorded(before),
        after: recorded(after),
        secretChanged: secret !== undefined,
        sessionsEnded,
      },
    });
    return after;
  }

  /** @returns how many sessions that ended */
  async remove(act: Act, orgId: string, ifVersion: number | undefined): Promise<number> {
    const organization = await locked(act, orgId);
    const before = await findSso(act.tx, orgId);
    if (before === undefined) throw unknownSso();
    refuseOtherVersion(before.version, ifVersion);
    if (organization.enforce_sso) throw new HatiError('sso_enforced');
    await deleteSso(act.tx, orgId);
    const sessionsEnded = await endSsoSessions(act, orgId);
    act.record({
      action: 'sso.configured',
      target: orgId,
      orgId,
      detail: { before: recorded(before), after: null, sessionsEnded },
    });
    return sessionsEnded;
  }
}

export function unknownSso(redirectUri?: string): HatiError {
  return new HatiError('resource_unknown', {
    params: { what: 'single sign-on of this organization' },
    ...(redirectUri !== undefined && {
      hint: `To set it up, register this redirect URI at the provider: ${redirectUri}`,
      details: { redirect_uri: redirectUri },
    }),
  });
}

async function locked(act: Act, orgId: string): Promise<OrganizationRow> {
  const row = await lockOrganization(act.tx, orgId);
  if (row === undefined)
    throw new HatiError('resource_unknown', { params: { what: 'organization' } });
  return row;
}

async function endSsoSessions(act: Act, orgId: string): Promise<number> {
  return await endSessions(act.tx, { at: act.now, reason: 'sso_changed', orgId, method: 'sso' });
}

function recorded({ provider, issuer, client_id, email_domains, default_role }: SsoRow) {
  return { provider, issuer, client_id, email_domains, default_role };
}

function unfit(field: string, constraint: string, message: string, cause?: unknown): HatiError {
  return new HatiError('request_invalid', {
    params: { message: `${field}: ${message}` },
    details: { field, constraint },
    cause,
  });
}
