import { createHash } from 'node:crypto';
import type pg from 'pg';
import { engineRoles, type EngineRole } from '../roles.ts';

/** Names inside of the server for an environment with a database of its own. */
export interface DataDatabase {
  readonly database: string;
  readonly reader: string;
  readonly writer: string;
}

export const firstDatabase: DataDatabase = { database: 'hatidata', ...engineRoles };

/** What all databases of environments begin with, and nothing else. */
export const environmentPrefix = 'hatidata_env_';

/** Roles of its own as well: a role sees what its other sessions run, and can change how they begin. */
export function databaseOf(environment: string): DataDatabase {
  const [, id = ''] = /^env_([a-z0-9]{1,40})$/.exec(environment) ?? [];
  if (id === '') throw new Error('an id of an environment that can be no name of a database');
  const database = environmentPrefix + id;
  return { database, reader: `${database}_reader`, writer: `${database}_writer` };
}

/** Whoever knows the control role's password may know these; so they are derived from it. */
export function environmentPassword(control: string, { database }: DataDatabase, role: EngineRole) {
  return createHash('sha256').update(`${database} ${role} ${control}`).digest('base64url');
}

/** @param control of the embedded server */
export function environmentLogins(
  control: pg.ClientConfig,
  environment: string,
): Record<EngineRole, pg.ClientConfig> {
  const names = databaseOf(environment);
  const login = (role: EngineRole): pg.ClientConfig => ({
    ...control,
    user: names[role],
    password: environmentPassword(String(control.password), names, role),
    database: names.database,
  });
  return { reader: login('reader'), writer: login('writer') };
}
