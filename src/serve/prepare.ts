import type { Config } from '../config.ts';
import { migrate } from '../database/migrate.ts';
import { prepareSystemRole } from '../database/system-role.ts';
import { checkEngineLogins } from '../engine/logins.ts';
import type { Logger } from '../shared/log.ts';
import { engineLogins, type Logins } from './logins.ts';

/**
 * Once for all workers that begin together, and by the code that they run: the control store is brought up to date, and both
 * databases are looked at before any client comes.
 */
export async function prepareDatabases(
  config: Pick<Config, 'engine'>,
  logins: Logins,
  log: Logger,
): Promise<void> {
  await migrate(logins.control, log);
  await prepareSystemRole(logins.control, { hasLogin: logins.systemRole === undefined, log });
  if (config.engine.kind === 'url') await checkEngineLogins(engineLogins(logins), log);
}
