import { accessTokenSeconds, refreshTokenDays, sessionDays } from '../../../api/auth.ts';
import { errorKinds } from '../../../api/envelope.ts';
import { defaultLimit, mostLimit } from '../../../api/paging.ts';
import { tiers } from '../../../api/tiers.ts';
import { errorRegistry, type ErrorDefinition } from '../../../errors.ts';
import { controlErrors } from '../../../errors/control.ts';
import { httpErrors } from '../../../errors/http.ts';
import { loginErrors } from '../../../errors/login.ts';
import { block, code, escaped, json, table } from './html.ts';

export interface GuideSection {
  readonly id: string;
  readonly title: string;
  readonly html: string;
}

/** What all routes have in common. */
export function guideSections(): readonly GuideSection[] {
  return [
    { id: 'authentication', title: 'Authentication', html: authentication() },
    { id: 'errors', title: 'Errors', html: errors() },
    { id: 'pages', title: 'Lists', html: lists() },
    { id: 'limits', title: 'Rate limits', html: limits() },
    { id: 'twice', title: 'Sending again', html: sendingAgain() },
    { id: 'versions', title: 'Two editors', html: versions() },
  ];
}

function authentication(): string {
  const logIn = `API=http://localhost:8080
TOKEN=$(curl -s "$API/v1/auth/login" -H 'Content-Type: application/json' \\
  -d '{"email": "ada@example.com", "password": "…"}' | jq -r .token)
curl -s "$API/v1/organizations" -H "Authorization: Bearer $TOKEN"`;
  const rows = [
    ['a token of <a href="#postAuthLogin">a login</a>', code('Authorization: Bearer eyJ…')],
    ['an API key', code('X-API-Key: hd_live_…')],
    ['an API key', code('Authorization: ApiKey hd_live_…')],
    ['an API key, as a token', code('Authorization: Bearer hd_live_…')],
    ['an API key, as the password', code('Authorization: Basic …')],
  ];
  return `${table(['Credential', 'Header'], rows)}
<p>A token is good for ${accessTokenSeconds / 60} minutes. <a href="#postAuthRefresh">Refreshing</a> gives another one, and a new refresh
token, which is good once and for ${refreshTokenDays} days. A session ends after ${sessionDays} days.
A key is good in its own environment, for what its scopes allow. What belongs to another organization answers like what does not exist.</p>
${block(logIn, 'Logging in with curl')}`;
}

function errors(): string {
  const envelope = {
    error: {
      code: 'VALIDATION_ERROR',
      message: 'scopes: Invalid option',
      details: { reason: 'request_invalid', field: 'scopes', constraint: 'enum' },
      request_id: 'req_77aa',
      status: 400,
      timestamp: '2030-05-02T08:00:00.000Z',
    },
  };
  const kinds = Object.entries(errorKinds).map(([status, { code: name, means }]) => [
    status,
    code(name),
    escaped(means),
  ]);
  return `<p>Every error has one form. ${code('details.reason')} is the finest name of what was wrong, and never changes;
${code('message')} is for people. ${code('request_id')} is in the header ${code('X-Request-Id')} too.</p>
${block(json(envelope), 'An error')}
${table(['Status', 'Code', 'Means'], kinds)}
<details><summary>Reasons</summary>
${table(['Reason', 'Status', 'Says'], reasons())}
</details>`;
}

/** Of the control plane, and those of keys and of the server that it shares with the wire. */
function reasons(): readonly (readonly string[])[] {
  const names = [
    ...Object.keys({ ...httpErrors, ...loginErrors, ...controlErrors }),
    ...sharedReasons,
  ];
  return names.map((name) => {
    const { http, text, hint } = errorRegistry[
      name as keyof typeof errorRegistry
    ] as ErrorDefinition;
    const says = hint === undefined ? text : `${text}. ${hint}`;
    return [code(name), String(http), escaped(says)];
  });
}

const sharedReasons = [
  'key_name_taken',
  'key_unknown',
  'key_stronger',
  'scope_unknown',
  'too_many_keys',
  'store_unreachable',
  'internal',
] as const satisfies readonly (keyof typeof errorRegistry)[];

function lists(): string {
  return `<p>Lists come in pages: ${code('limit')} (${defaultLimit}, at most ${mostLimit}) says how long, ${code('cursor')} which: it is
${code('pagination.cursor')} of the page before, and null on the last one.</p>
${block(json({ data: ['…'], pagination: { cursor: 'cur_WyIyMDMwIl0', has_more: true, total: 120 } }), 'A page')}`;
}

function limits(): string {
  const rows = Object.entries(tiers).map(([name, { perMinute, burst }]) => [
    code(name),
    perMinute.toLocaleString('en'),
    burst.toLocaleString('en'),
  ]);
  return `<p>Each user and each key may send so many requests, by the tier of the organization. ${code('X-RateLimit-Limit')},
${code('X-RateLimit-Remaining')} and ${code('X-RateLimit-Reset')} (Unix seconds) are in every answer, ${code('Retry-After')} in a 429.</p>
${table(['Tier', 'A minute', 'At once'], rows)}`;
}

function sendingAgain(): string {
  return `<p>What creates something takes an ${code('Idempotency-Key')}: up to 255 visible characters of your choice. The same request with the same key is done
once and answered alike for 24 hours, then with ${code('Idempotent-Replayed: true')}. With another request the key is a 409.</p>`;
}

function versions(): string {
  return `<p>What can be changed is sent with an ${code('ETag')}. Sent back as ${code('If-Match')}, it makes a change that somebody else has
overtaken a 412, which changes nothing.</p>`;
}
