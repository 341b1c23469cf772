/**
 * The first key of a server: made in the control store itself, by whoever may read its configuration.
 * Beside `serve.ts` because it joins the same parts; every later key is made through the proxy.
 */
import type pg from 'pg';
import type { Config } from './config.ts';
import { KeyHasher } from './control/keys/hasher.ts';
import { KeyService } from './control/keys/service.ts';
import { connectControlDatabase } from './database/connect.ts';
import { migrate } from './database/migrate.ts';
import { runningControlLogin } from './engine/embedded/running.ts';
import { startEmbeddedServer } from './engine/embedded/server.ts';
import { adminAuthority } from './policy/authority.ts';
import type { Logger } from './shared/log.ts';

export interface AdminKeyRequest {
  readonly agent: string;
  readonly description: string;
  readonly log: Logger;
}

/** @returns the secret. Throws HatiError (`key_name_taken` …). A running proxy accepts the key at once. */
export async function createAdminKey(config: Config, request: AdminKeyRequest): Promise<string> {
  const { log } = request;
  if (config.controlDatabaseUrl !== undefined) {
    return create({ connectionString: config.controlDatabaseUrl }, request);
  }
  const running = await runningControlLogin(config.directory);
  if (running !== undefined) return create({ ...running, ssl: false }, request);
  const { engine } = config;
  const user = engine.kind === 'embedded' ? engine.user : undefined;
  const server = await startEmbeddedServer({
    directory: config.directory,
    log,
    ...(user === undefined ? {} : { user }),
  });
  try {
    return await create({ ...server.connection('control'), ssl: false }, request);
  } finally {
    await server.stop();
  }
}

async function create(config: pg.ClientConfig, request: AdminKeyRequest): Promise<string> {
  await migrate(config, request.log);
  const control = connectControlDatabase(config, request.log);
  try {
    const service = new KeyService({
      db: control.db,
      hasher: new KeyHasher(),
      onEnded: () => undefined,
    });
    return await service.call('create_api_key', [request.agent, 'admin', request.description], {
      principal: { kind: 'localAdministrator', agent: 'hati admin', authority: adminAuthority },
      source: 'command line',
    });
  } finally {
    await control.close();
  }
}
