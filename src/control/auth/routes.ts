import type { Kysely } from 'kysely';
import {
  beginTotp,
  changePassword,
  checkHealth,
  confirmTotp,
  disableTotp,
  forgotPassword,
  logIn,
  logOut,
  readCaller,
  readHealth,
  readKeySet,
  refreshTokens,
  replaceRecoveryCodes,
  resetPassword,
} from '../../api/auth.ts';
import type { ReplyOf } from '../../api/route.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { packageVersion } from '../../shared/version.ts';
import type { KeyCaller, UserCaller } from '../caller.ts';
import { bind, type Binding } from '../http/binding.ts';
import type { PasswordResets } from './password-reset.ts';
import type { AuthService, LoggedIn } from './service.ts';
import type { Sessions } from './sessions.ts';
import type { SigningKeys } from './signing-keys.ts';
import { findUserById, membershipsOf } from './store.ts';

export interface AuthRoutesParts {
  readonly db: Kysely<ControlSchema>;
  readonly auth: AuthService;
  readonly sessions: Sessions;
  readonly signingKeys: SigningKeys;
  readonly resets: PasswordResets;
}

/** Whoever verifies tokens himself asks again for a key that he does not know. */
const keySetCaching = 'public, max-age=300';

export function authBindings(parts: AuthRoutesParts): readonly Binding[] {
  const { db, auth, sessions, signingKeys, resets } = parts;
  const health = { body: { status: 'ok' as const, version: packageVersion() } };
  return [
    bind(logIn, async ({ body, source, userAgent, change }) => {
      const { email, password, org_id: orgId, totp_code: code } = body;
      const wish = { email, password, orgId, code, source, userAgent };
      return { body: loginOf(await auth.logIn(change, wish)) };
    }),
    bind(refreshTokens, async ({ body, change }) => ({
      body: await sessions.refresh(change, body.refresh_token),
    })),
    bind(logOut, async ({ caller, change }) => {
      const endedAt = await change(async (act) => {
        await sessions.end(act, caller);
        return act.now;
      });
      return { body: { session_id: caller.sessionId, ended_at: endedAt.toISOString() } };
    }),
    bind(readCaller, async ({ caller }) => ({
      body: caller.kind === 'user' ? await aboutUser(db, caller) : aboutKey(caller),
    })),
    bind(changePassword, async ({ body, caller, source, change }) => {
      const { current_password: current, new_password: next } = body;
      const { at, ended } = await auth.changePassword(
        change,
        { caller, source },
        { current, next },
      );
      return { body: { changed_at: at.toISOString(), sessions_ended: ended } };
    }),
    bind(forgotPassword, async ({ body, change }) => {
      const isSent = await resets.ask(change, body.email);
      return { body: { mail: isSent ? ('unknown' as const) : ('off' as const) } };
    }),
    bind(resetPassword, async ({ body, source, change }) => {
      const wish = { token: body.token, next: body.new_password, source };
      const { at, ended } = await resets.reset(change, wish);
      return { body: { changed_at: at.toISOString(), sessions_ended: ended } };
    }),
    bind(beginTotp, async ({ caller, change }) => {
      const { secret, uri } = await auth.beginSecondFactor(change, caller);
      return { body: { secret, otpauth_uri: uri } };
    }),
    bind(confirmTotp, async ({ body, caller, source, change }) => {
      const { at, codes } = await auth.confirmSecondFactor(change, { caller, source }, body.code);
      const confirmed_at = at.toISOString();
      return { body: { mfa_enabled: true as const, confirmed_at, recovery_codes: [...codes] } };
    }),
    bind(replaceRecoveryCodes, async ({ body, caller, source, change }) => {
      const codes = await auth.replaceRecoveryCodes(change, { caller, source }, body);
      return { body: { recovery_codes: [...codes] } };
    }),
    bind(disableTotp, async ({ body, caller, source, change }) => {
      await auth.disableSecondFactor(change, { caller, source }, body);
      return { body: { mfa_enabled: false as const } };
    }),
    bind(readKeySet, async () => ({
      body: { keys: [...(await signingKeys.published())] },
      headers: { 'cache-control': keySetCaching },
    })),
    bind(readHealth, () => Promise.resolve(health)),
    bind(checkHealth, () => Promise.resolve(health)),
  ];
}

/** As every login answers. */
export function loginOf({ tokens, user, membership }: LoggedIn): ReplyOf<typeof logIn> {
  const { orgId: id, role, name, slug, tier } = membership;
  return {
    token: tokens.access_token,
    ...tokens,
    user: { id: user.user_id, email: user.email, name: user.name, role },
    org: { id, name, slug, tier },
  };
}

type About = ReplyOf<typeof readCaller>;

async function aboutUser(db: Kysely<ControlSchema>, caller: UserCaller): Promise<About> {
  const user = await findUserById(db, caller.userId);
  const all = await membershipsOf(db, caller.userId);
  const memberships =
    caller.method === 'sso' ? all.filter(({ orgId }) => orgId === caller.orgId) : all;
  return {
    kind: 'user',
    user_id: caller.userId,
    email: caller.email,
    name: user?.name ?? '',
    org_id: caller.orgId,
    role: caller.role,
    tier: caller.tier,
    mfa_enabled: (user?.totp_confirmed_at ?? null) !== null,
    memberships: memberships.map(({ orgId, name, slug, role, tier }) => ({
      org_id: orgId,
      name,
      slug,
      role,
      tier,
    })),
  };
}

function aboutKey({ keyId, name, envId, orgId, authority, tier }: KeyCaller): About {
  return {
    kind: 'key',
    user_id: null,
    email: null,
    key_id: keyId,
    name,
    env_id: envId,
    org_id: orgId,
    role: 'service_account',
    scopes: [...authority.scopes],
    tier,
  };
}
