import type { Kysely } from 'kysely';
import { ssoCodeSeconds, ssoLoginMinutes } from '../../api/single-sign-on.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import type { Act } from '../act.ts';
import { digestOf, type Change } from '../auth/model.ts';
import type { LoggedIn } from '../auth/service.ts';
import type { Sessions } from '../auth/sessions.ts';
import { findUserById, holdMembership, membershipsOf } from '../auth/store.ts';
import { lockOrganization } from '../organizations/store.ts';
import { arrive } from './arrival.ts';
import { browserOf, challengeOf, cookieOf, derived, newSecret, secretPurpose } from './model.ts';
import type { Claims, ProviderClient, Providers } from './provider.ts';
import {
  findSso,
  findSsoOf,
  holdSso,
  insertCode,
  insertLogin,
  takeCode,
  takeLogin,
  type BegunLogin,
  type SsoRow,
} from './store.ts';

/** Where a program waits for a login, and what it shows when it collects it. */
export interface Program {
  readonly redirectUri: string;
  readonly codeChallenge: string;
  /** Given back to it. */
  readonly state: string;
}

interface From {
  readonly source: string;
  readonly userAgent: string | undefined;
}

/** A browser that comes back from a provider. */
export interface Returned extends From {
  readonly orgId: string;
  readonly state: string;
  /** All that the provider gave it. */
  readonly parameters: URLSearchParams;
  readonly cookie: string | undefined;
}

export interface SsoLoginsParts {
  readonly db: Kysely<ControlSchema>;
  readonly providers: Providers;
  readonly sessions: Sessions;
  readonly box: SecretBox;
  /** Where browsers find us; without a slash at its end. */
  readonly publicUrl: string;
}

/**
 * A login goes out to the provider and comes back, once, in the browser in which it was begun: its cookie is what the nonce and the PKCE
 * verifier are made from. It ends in a session, or in a code for the program that began it.
 */
export class SsoLogins {
  private readonly parts: SsoLoginsParts;
  private readonly isSecure: boolean;

  constructor(parts: SsoLoginsParts) {
    this.parts = parts;
    this.isSecure = parts.publicUrl.startsWith('https:');
  }

  /**
   * To be registered at the provider. Each organization has its own, so that no provider can pass its users on to that of another
   * organization and get at the codes (RFC 9700, section 4.4).
   */
  redirectUri(orgId: string): string {
    return `${this.parts.publicUrl}/v1/auth/sso/callback/${orgId}`;
  }

  /** @param org slug or id. @returns where the program sends its user. Throws `sso_unknown`. */
  async start(org: string, { redirectUri, codeChallenge, state }: Program): Promise<string> {
    const { slug } = await this.known(org);
    const given = { redirect_uri: redirectUri, code_challenge: codeChallenge, state };
    const query = new URLSearchParams(given).toString();
    return `${this.parts.publicUrl}/v1/auth/sso/${slug}?${query}`;
  }

  /** @returns where the browser goes, with its cookie. Throws `sso_unknown`, `sso_provider_away`. */
  async begin(change: Change, org: string, program: Program | undefined) {
    const sso = await this.known(org);
    const [state, browser] = [newSecret(), newSecret()];
    const location = await this.parts.providers.authorizationUrl(
      this.clientOf(sso),
      this.redirectUri(sso.org_id),
      secretsOf(state, browser),
    );
    await change(async ({ tx, now }) => {
      // Else it was removed meanwhile, and there is nothing to come back to.
      if ((await holdSso(tx, sso)) === undefined) throw unknown(org);
      const login: BegunLogin = {
        state_hash: digestOf(state),
        browser_hash: digestOf(browser),
        org_id: sso.org_id,
        redirect_uri: program?.redirectUri ?? null,
        code_challenge: program?.codeChallenge ?? null,
        client_state: program?.state ?? null,
        expires_at: new Date(now.getTime() + ssoLoginMinutes * 60_000),
      };
      await insertLogin(tx, login, now);
    });
    const cookie = { state, browser, seconds: ssoLoginMinutes * 60 };
    return { location, cookie: cookieOf(cookie, this.isSecure) };
  }

  /**
   * Throws `sso_login_unknown`; and, of a login in a browser, `sso_failed`, `sso_refused`, `sso_provider_away`, `too_many_users`.
   * @returns the login, or where the program waits for it, or for what went wrong
   */
  async finish(change: Change, returned: Returned): Promise<LoggedIn | { location: string }> {
    const { db } = this.parts;
    const { orgId, state, cookie } = returned;
    const browser = browserOf(cookie, state, this.isSecure);
    const which = { state: digestOf(state), browser: digestOf(browser ?? ''), orgId };
    const begun = await change(({ tx, now }) => takeLogin(tx, which, now));
    const sso = await findSso(db, orgId);
    if (begun === undefined || sso === undefined) throw new HatiError('sso_login_unknown');
    let claims: Claims | undefined;
    try {
      claims = await this.parts.providers.identify(
        this.clientOf(sso),
        new URL(`${this.redirectUri(orgId)}?${returned.parameters.toString()}`),
        secretsOf(state, browser!),
      );
      return await this.enter(change, { sso, begun, claims, from: returned });
    } catch (error) {
      if (!(error instanceof HatiError)) throw error;
      await change((act) => recordRefusal(act, error, { orgId, claims, from: returned }));
      if (begun.redirect_uri === null) throw error;
      return { location: backTo(begun, { error: error.code, error_description: told(error) }) };
    }
  }

  /** Of a login that is over. */
  endedCookie(state: string): string {
    return cookieOf({ state, browser: '', seconds: 0 }, this.isSecure);
  }

  /** For programs. Throws `sso_code_refused`, `membership_missing`. */
  async exchange(change: Change, code: string, verifier: string, from: From): Promise<LoggedIn> {
    const sign = await this.parts.sessions.signer();
    const loggedIn = await change(async (act) => {
      const taken = await takeCode(act.tx, digestOf(code), act.now);
      if (taken === undefined || taken.code_challenge !== challengeOf(verifier)) return undefined;
      const { org_id: orgId, user_id: userId } = taken;
      const role = await holdMembership(act.tx, userId, orgId);
      if (role === undefined) return undefined;
      return await this.session(act, sign, { orgId, userId, from });
    });
    if (loggedIn === undefined) throw new HatiError('sso_code_refused');
    return loggedIn;
  }

  private async enter(
    change: Change,
    { sso, begun, claims, from }: { sso: SsoRow; begun: BegunLogin; claims: Claims; from: From },
  ): Promise<LoggedIn | { location: string }> {
    const sign = await this.parts.sessions.signer();
    return await change(async (act) => {
      const { org_id: orgId } = sso;
      const organization = await lockOrganization(act.tx, orgId);
      // What has let him in must be what is configured, still.
      if (organization === undefined || (await holdSso(act.tx, sso)) === undefined)
        throw new HatiError('sso_login_unknown');
      const userId = await arrive(act, { organization, sso }, claims);
      if (begun.code_challenge === null)
        return await this.session(act, sign, { orgId, userId, from });
      const code = newSecret();
      const row = {
        code_hash: digestOf(code),
        org_id: orgId,
        user_id: userId,
        code_challenge: begun.code_challenge,
        expires_at: new Date(act.now.getTime() + ssoCodeSeconds * 1_000),
      };
      await insertCode(act.tx, row, act.now);
      return { location: backTo(begun, { code }) };
    });
  }

  /** The provider is the second factor. Throws `membership_missing`. */
  private async session(
    act: Act,
    sign: Awaited<ReturnType<Sessions['signer']>>,
    { orgId, userId, from }: { orgId: string; userId: string; from: From },
  ): Promise<LoggedIn> {
    const user = await findUserById(act.tx, userId);
    const memberships = await membershipsOf(act.tx, userId);
    const membership = memberships.find((each) => each.orgId === orgId);
    if (user === undefined || membership === undefined) throw new HatiError('membership_missing');
    const tokens = await this.parts.sessions.start(act, sign, {
      userId,
      orgId,
      role: membership.role,
      method: 'sso',
      hasSecondFactor: true,
      source: from.source,
      userAgent: from.userAgent,
    });
    return { tokens, user, membership };
  }

  private async known(org: string) {
    const sso = await findSsoOf(this.parts.db, org);
    if (sso === undefined) throw unknown(org);
    return sso;
  }

  private clientOf({ org_id: orgId, issuer, client_id, client_secret }: SsoRow): ProviderClient {
    const clientSecret = this.parts.box.open(client_secret, secretPurpose(orgId));
    return { issuer, clientId: client_id, clientSecret };
  }
}

function unknown(org: string): HatiError {
  return new HatiError('sso_unknown', { params: { org } });
}

function secretsOf(state: string, browser: string) {
  return { state, nonce: derived(browser, 'nonce'), verifier: derived(browser, 'verifier') };
}

/** To the program, on the user's own machine. */
function backTo(
  { redirect_uri: redirectUri, client_state: state }: BegunLogin,
  given: Readonly<Record<string, string>>,
): string {
  return `${redirectUri!}?${new URLSearchParams({ ...given, state: state! }).toString()}`;
}

function told({ message, hint }: HatiError): string {
  return hint === undefined ? message : `${message}. ${hint}`;
}

/** As a login by password that is refused. */
function recordRefusal(
  act: Act,
  { code: reason, details }: HatiError,
  { orgId, claims, from }: { orgId: string; claims: Claims | undefined; from: From },
): Promise<void> {
  const email = typeof claims?.email === 'string' ? claims.email.slice(0, 254) : null;
  act.record({
    action: 'session.refused',
    target: email ?? claims?.subject.slice(0, 255) ?? orgId,
    orgId,
    detail: {
      reason,
      constraint: details?.['constraint'] ?? null,
      method: 'sso',
      email,
      subject: claims?.subject.slice(0, 255) ?? null,
      userAgent: from.userAgent ?? null,
    },
  });
  return Promise.resolve();
}
