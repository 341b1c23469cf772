import type { Kysely } from 'kysely';
import {
  beginSso,
  configureSso,
  exchangeSsoCode,
  finishSso,
  readSso,
  removeSso,
  startSso,
} from '../../api/single-sign-on.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { loginOf } from '../auth/routes.ts';
import { idOf } from '../caller.ts';
import { bind, type Binding } from '../http/binding.ts';
import type { SsoLogins } from './logins.ts';
import { unknownSso, type SsoService } from './service.ts';
import { findSso, type SsoRow } from './store.ts';

export interface SsoRoutesParts {
  readonly db: Kysely<ControlSchema>;
  readonly sso: SsoService;
  readonly logins: SsoLogins;
}

export function ssoBindings({ db, sso, logins }: SsoRoutesParts): readonly Binding[] {
  const replyOf = (row: SsoRow) => ({
    body: { ...shown(row), redirect_uri: logins.redirectUri(row.org_id) },
    version: row.version,
  });
  return [
    bind(readSso, async ({ params: { org_id: orgId } }) => {
      const row = await findSso(db, orgId);
      if (row === undefined) throw unknownSso(logins.redirectUri(orgId));
      return replyOf(row);
    }),
    bind(configureSso, async ({ params, body: wish, caller, ifVersion, change }) => {
      const { org_id: orgId } = params;
      const issuer = await sso.checkedIssuer(wish.issuer);
      const asked = { orgId, issuer, wish, ifVersion };
      return replyOf(await change((act) => sso.configure(act, idOf(caller), asked)));
    }),
    bind(removeSso, async ({ params: { org_id: orgId }, ifVersion, change }) => {
      const { at, ended } = await change(async (act) => ({
        ended: await sso.remove(act, orgId, ifVersion),
        at: act.now,
      }));
      const deleted_at = at.toISOString();
      return { body: { org_id: orgId, deleted: true as const, deleted_at, sessions_ended: ended } };
    }),
    bind(startSso, async ({ body: { org_slug: org, redirect_uri, code_challenge, state } }) => ({
      body: { url: await logins.start(org, programOf(redirect_uri, code_challenge, state)) },
    })),
    bind(beginSso, async ({ params, query, change }) => {
      const { redirect_uri, code_challenge, state } = query;
      // All three are there, or none.
      const program =
        redirect_uri === undefined ? undefined : programOf(redirect_uri, code_challenge!, state!);
      const { location, cookie } = await logins.begin(change, params.org_slug, program);
      return { location, headers: { 'set-cookie': cookie } };
    }),
    bind(finishSso, async ({ params, query, cookie, source, userAgent, change }) => {
      const outcome = await logins.finish(change, {
        orgId: params.org_id,
        state: query.state,
        parameters: parametersOf(query),
        cookie,
        source,
        userAgent,
      });
      const headers = { 'set-cookie': logins.endedCookie(query.state) };
      return 'location' in outcome ? { ...outcome, headers } : { body: loginOf(outcome), headers };
    }),
    bind(exchangeSsoCode, async ({ body, source, userAgent, change }) => {
      const { code, code_verifier: verifier } = body;
      return {
        body: loginOf(await logins.exchange(change, code, verifier, { source, userAgent })),
      };
    }),
  ];
}

function programOf(redirectUri: string, codeChallenge: string, state: string) {
  return { redirectUri, codeChallenge, state };
}

/** As they came, also where one comes twice. */
function parametersOf(query: Readonly<Record<string, unknown>>): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    for (const each of Array.isArray(value) ? value : [value])
      parameters.append(name, String(each));
  return parameters;
}

function shown(row: SsoRow) {
  return {
    org_id: row.org_id,
    provider: row.provider,
    issuer: row.issuer,
    client_id: row.client_id,
    email_domains: row.email_domains,
    default_role: row.default_role,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    updated_by: row.updated_by,
  };
}
