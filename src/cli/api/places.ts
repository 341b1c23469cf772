import { CommandError } from '../context.ts';
import type { ApiClient } from './client.ts';
import type { InEnv, InOrg } from './options.ts';
import type { Item } from './routes.ts';

/** What people name by slug, email address or name, the API by id. */

export type Environment = Item<'GET /v1/organizations/{org_id}/environments'>;

export async function orgIdOf(api: ApiClient, { org }: Pick<InOrg, 'org'>): Promise<string> {
  if (org === undefined) {
    return api.session?.org_id ?? (await api.call('GET /v1/auth/me')).org_id;
  }
  if (org.startsWith('org_')) return org;
  const all = await api.all('GET /v1/organizations');
  const found = all.find(({ slug }) => slug === org);
  if (found !== undefined) return found.org_id;
  throw unknown(
    'organization',
    org,
    all.map(({ slug }) => slug),
  );
}

/** Archived ones are found by their id only. */
export async function envIdOf(api: ApiClient, env: string, options: InOrg): Promise<string> {
  if (env.startsWith('env_')) return env;
  const all = await environmentsOf(api, options);
  const found = all.find(({ slug }) => slug === env);
  if (found !== undefined) return found.env_id;
  throw unknown(
    'environment',
    env,
    all.map(({ slug }) => slug),
  );
}

/** The one that is named; else that of the API key, or the only one. */
export async function chosenEnvId(api: ApiClient, options: InEnv): Promise<string> {
  if (options.env !== undefined) return await envIdOf(api, options.env, options);
  if (api.session === undefined) {
    const caller = await api.call('GET /v1/auth/me');
    if (caller.kind === 'key') return caller.env_id;
  }
  const all = await environmentsOf(api, options);
  const [only, another] = all;
  if (only !== undefined && another === undefined) return only.env_id;
  const choice =
    all.length === 0 ? 'It has none yet.' : `It has: ${list(all.map(({ slug }) => slug))}.`;
  throw new CommandError(`Name an environment of the organization with --env. ${choice}`, {
    exitCode: 2,
  });
}

export async function userIdOf(api: ApiClient, user: string, org_id: string): Promise<string> {
  if (!user.includes('@')) return user;
  const all = await api.all('GET /v1/organizations/{org_id}/users', { params: { org_id } });
  const wanted = user.toLowerCase();
  const found = all.find(({ email }) => email.toLowerCase() === wanted);
  if (found !== undefined) return found.user_id;
  throw new CommandError(`There is no user ${user} in the organization.`);
}

/** By the name that an active key has, or by id. */
export async function keyIdOf(api: ApiClient, key: string, env_id: string): Promise<string> {
  if (/^key_[A-Za-z0-9]+$/.test(key)) return key;
  const [found] = await api.all('GET /v1/environments/{env_id}/api-keys', {
    params: { env_id },
    query: { name: key },
  });
  if (found !== undefined) return found.key_id;
  throw new CommandError(`There is no key "${key}" in this environment; see \`hati keys list\`.`);
}

async function environmentsOf(api: ApiClient, options: InOrg): Promise<Environment[]> {
  const org_id = await orgIdOf(api, options);
  return await api.all('GET /v1/organizations/{org_id}/environments', { params: { org_id } });
}

function unknown(what: string, name: string, known: readonly string[]): CommandError {
  const choice = known.length === 0 ? 'none' : list(known);
  return new CommandError(`There is no ${what} "${name}" that you may see; there is ${choice}.`);
}

const mostNamed = 10;

function list(names: readonly string[]): string {
  const more = names.length - mostNamed;
  return names.slice(0, mostNamed).join(', ') + (more > 0 ? ` and ${more} more` : '');
}
