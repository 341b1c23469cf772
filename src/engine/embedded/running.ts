import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { databaseNames } from './bootstrap.ts';
import { loadSecrets, roleNames } from './secrets.ts';
import type { EmbeddedConnection } from './server.ts';

/**
 * How the control store of an embedded server that another process runs is reached; undefined when none runs.
 * Lines of postmaster.pid: pid, data directory, start time, port, socket directory … (miscadmin.h).
 */
export async function runningControlLogin(
  directory: string,
): Promise<EmbeddedConnection | undefined> {
  const text = await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8').catch(() => '');
  const [, , , port, host] = text.split('\n');
  if (host === undefined || host === '') return undefined;
  const { secrets } = await loadSecrets(join(directory, 'secrets.json'));
  return {
    host,
    port: Number(port),
    user: roleNames.control,
    password: secrets.control,
    database: databaseNames.control,
  };
}
