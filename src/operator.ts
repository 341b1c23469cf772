/**
 * What the operator of a server does in its control store itself, by the right to read its configuration: its first key and its first
 * user. Beside `serve.ts` because it joins the same parts; everything later goes through the proxy and the control plane.
 */
import type pg from 'pg';
import type { Config } from './config.ts';
import { Acts } from './control/act.ts';
import { resetPassword } from './control/auth/password-reset.ts';
import { Passwords } from './control/auth/passwords.ts';
import { removeSecondFactor } from './control/auth/second-factor.ts';
import { findUser } from './control/auth/store.ts';
import { StoreKeyFunctions } from './control/keys/functions.ts';
import { KeyHasher } from './control/keys/hasher.ts';
import { KeyService } from './control/keys/service.ts';
import {
  checkedLogin,
  checkedOwner,
  createOwner,
  type CreatedOwner,
} from './control/users/owner.ts';
import { connectControlDatabase, type ControlDatabase } from './database/connect.ts';
import { migrate } from './database/migrate.ts';
import { runningControlLogin } from './engine/embedded/running.ts';
import { startEmbeddedServer } from './engine/embedded/server.ts';
import { HatiError } from './errors.ts';
import { adminAuthority } from './policy/authority.ts';
import { systemClock } from './shared/clock.ts';
import type { Logger } from './shared/log.ts';

const operator = 'hati admin';
const source = 'command line';

export interface AdminKeyRequest {
  readonly agent: string;
  readonly description: string;
  readonly log: Logger;
}

/** @returns the secret. Throws HatiError (`key_name_taken` …). A running proxy accepts the key at once. */
export async function createAdminKey(
  config: Config,
  { agent, description, log }: AdminKeyRequest,
): Promise<string> {
  return await inStore(config, log, async ({ db }) => {
    const functions = new StoreKeyFunctions({
      db,
      acts: new Acts({ db, clock: systemClock }),
      service: new KeyService(new KeyHasher(), () => undefined),
    });
    return await functions.call('create_api_key', [agent, 'admin', description], {
      principal: { kind: 'localAdministrator', agent: operator, authority: adminAuthority },
      source,
    });
  });
}

export interface FirstOwnerRequest {
  readonly email: string;
  readonly name: string;
  readonly password: string;
  readonly log: Logger;
}

/** Of the first organization. Throws HatiError (`request_invalid`; `conflict` where it has one). */
export async function createFirstOwner(
  config: Config,
  { log, ...given }: FirstOwnerRequest,
): Promise<CreatedOwner> {
  const { password, ...wish } = checkedOwner(given);
  const passwordHash = await new Passwords(new KeyHasher()).hash(password);
  return await inStore(config, log, async ({ db }) => {
    const origin = { actor: operator, actorKeyId: null, source, requestId: null };
    const acts = new Acts({ db, clock: systemClock });
    return await acts.run(origin, (act) => createOwner(act, { ...wish, passwordHash }));
  });
}

export interface PasswordResetRequest {
  readonly email: string;
  readonly password: string;
  /** For who has lost that as well. */
  readonly removesSecondFactor: boolean;
  readonly log: Logger;
}

/** @returns how many sessions that ended. Throws HatiError (`request_invalid`, `resource_unknown`). */
export async function resetUserPassword(
  config: Config,
  { log, removesSecondFactor, ...given }: PasswordResetRequest,
): Promise<number> {
  const { email, password } = checkedLogin(given);
  const passwordHash = await new Passwords(new KeyHasher()).hash(password);
  return await inStore(config, log, async ({ db }) => {
    const origin = { actor: operator, actorKeyId: null, source, requestId: null };
    const acts = new Acts({ db, clock: systemClock });
    return await acts.run(origin, async (act) => {
      const user = await findUser(act.tx, email);
      if (user === undefined) throw new HatiError('resource_unknown', { params: { what: 'user' } });
      if (removesSecondFactor) await removeSecondFactor(act, user.user_id, null);
      return await resetPassword(act, user.user_id, { passwordHash });
    });
  });
}

/** Whether the proxy runs or not. */
async function inStore<T>(
  config: Config,
  log: Logger,
  work: (control: ControlDatabase) => Promise<T>,
): Promise<T> {
  if (config.controlDatabaseUrl !== undefined) {
    return await connected({ connectionString: config.controlDatabaseUrl }, log, work);
  }
  const running = await runningControlLogin(config.directory);
  if (running !== undefined) return await connected({ ...running, ssl: false }, log, work);
  const { engine } = config;
  const user = engine.kind === 'embedded' ? engine.user : undefined;
  const server = await startEmbeddedServer({
    directory: config.directory,
    log,
    ...(user === undefined ? {} : { user }),
  });
  try {
    return await connected({ ...server.connection('control'), ssl: false }, log, work);
  } finally {
    await server.stop();
  }
}

async function connected<T>(
  config: pg.ClientConfig,
  log: Logger,
  work: (control: ControlDatabase) => Promise<T>,
): Promise<T> {
  await migrate(config, log);
  const control = connectControlDatabase(config, log);
  try {
    return await work(control);
  } finally {
    await control.close();
  }
}
