import { parseScopes } from '../../policy/authority.ts';
import type { CommandContext } from '../context.ts';
import { nearestProject } from '../project.ts';
import { confirm } from './ask.ts';
import { openApi } from './client.ts';
import type { ApiClient } from './client.ts';
import type { Confirmed, InEnv } from './options.ts';
import { chosenEnvId, keyIdOf } from './places.ts';
import type { Asked } from './routes.ts';
import { readSession, sessionPath } from './session-file.ts';
import { showDone, showList, showSecret } from './shown.ts';

export type ApiKeyOptions = InEnv;

/** Where a key may act, and functions that it may call besides. */
export interface LimitOptions {
  readonly schema: readonly string[];
  readonly table: readonly string[];
  readonly function: readonly string[];
}

export interface CreateOptions extends ApiKeyOptions, LimitOptions {
  readonly scope: string;
  readonly description: string;
  readonly ip: readonly string[];
  readonly expiresInDays?: number;
  readonly rotateEveryDays?: number;
}

export interface RotateOptions extends ApiKeyOptions {
  readonly grace?: number;
}

export type RevokeOptions = ApiKeyOptions & Confirmed;

type NewKey = NonNullable<Asked<'POST /v1/environments/{env_id}/api-keys'>['body']>;

const keepKey = 'Keep this key now; it is not stored and cannot be shown again.';

/** Where a control plane is named, or there is no project whose proxy could be meant. */
export function isOverApi(context: CommandContext, { env, org, url }: ApiKeyOptions): boolean {
  if (env !== undefined || org !== undefined || url !== undefined) return true;
  if (nearestProject(context) !== undefined) return false;
  return (
    Boolean(context.env['HATIDATA_API_URL']) || readSession(sessionPath(context)) !== undefined
  );
}

export async function listOverApi(context: CommandContext, options: ApiKeyOptions): Promise<void> {
  const api = openApi(context, options);
  const params = { env_id: await chosenEnvId(api, options) };
  const items = await api.all('GET /v1/environments/{env_id}/api-keys', { params });
  showList(context, options, items, [
    ...(['key_id', 'name', 'prefix', 'scopes', 'status'] as const),
    ...(['last_used_at', 'expires_at'] as const),
  ]);
}

export async function createOverApi(
  context: CommandContext,
  name: string,
  options: CreateOptions,
): Promise<void> {
  const api = openApi(context, options);
  const params = { env_id: await chosenEnvId(api, options) };
  const body: NewKey = {
    name,
    scopes: scopesOf(options.scope),
    ip_allowlist: [...options.ip],
    expires_in_days: options.expiresInDays,
    description: options.description,
    limits: limitsOf(options),
    rotate_every_days: options.rotateEveryDays,
  };
  const created = await api.call('POST /v1/environments/{env_id}/api-keys', { params, body });
  const words = [`The key ${name} is ${created.key_id}.`, keepKey];
  showSecret(context, options, { body: created, secret: created.key, words });
}

export async function rotateOverApi(
  context: CommandContext,
  key: string,
  options: RotateOptions,
): Promise<void> {
  const { api, params } = await keyAt(context, key, options);
  const body = await api.call('POST /v1/environments/{env_id}/api-keys/{key_id}/rotate', {
    params,
    body: { grace_period_hours: options.grace },
  });
  const words = [`The old secret ends at ${body.old_key_expires_at}.`, keepKey];
  showSecret(context, options, { body, secret: body.new_key, words });
}

export async function revokeOverApi(
  context: CommandContext,
  key: string,
  options: RevokeOptions,
): Promise<void> {
  const { api, params } = await keyAt(context, key, options);
  await confirm(context, `Revoking the key ${key}`, options);
  const path = 'DELETE /v1/environments/{env_id}/api-keys/{key_id}';
  const body = await api.call(path, { params });
  showDone(context, options, body, `The key ${body.name} is revoked.`);
}

/** Undefined: everywhere. */
export function limitsOf(options: LimitOptions): NewKey['limits'] {
  const { schema: schemas, table: tables, function: functions } = options;
  const isLimited = schemas.length + tables.length > 0;
  if (!isLimited && functions.length === 0) return undefined;
  const where = isLimited ? { schemas: [...schemas], tables: [...tables] } : {};
  return { ...where, functions: [...functions] };
}

/** Bundles are spelt out; wildcards the API takes as they are. */
function scopesOf(scope: string): string[] {
  return scope.includes(':')
    ? scope.split(',').map((each) => each.trim())
    : [...(parseScopes(scope) ?? [])];
}

interface Found {
  readonly api: ApiClient;
  readonly params: { readonly env_id: string; readonly key_id: string };
}

async function keyAt(context: CommandContext, key: string, options: InEnv): Promise<Found> {
  const api = openApi(context, options);
  const env_id = await chosenEnvId(api, options);
  return { api, params: { env_id, key_id: await keyIdOf(api, key, env_id) } };
}
