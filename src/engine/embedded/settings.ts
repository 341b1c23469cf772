/**
 * The server's two configuration files. They are ours: written anew at each start, so that a newer HatiData brings its
 * own settings to old data.
 *
 * What the server logs may not hold a client's data: no statements, no parameters, no details. What is left of them in
 * its messages is taken out on the way to our log (server-log.ts).
 * https://www.postgresql.org/docs/18/runtime-config-logging.html
 */
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { asUser } from './command.ts';
import type { OperatingUser } from './operating-user.ts';
import { linePrefix } from './server-log.ts';
import { scramIterations } from '../scram.ts';

const settings: Readonly<Record<string, string | number>> = {
  // Reachable by its socket alone, and that by its own user and root alone.
  listen_addresses: "''",
  port: 5432,
  unix_socket_permissions: '0700',
  password_encryption: "'scram-sha-256'",
  scram_iterations: scramIterations,
  // 500 sessions of the proxy, its control store, and some to spare.
  max_connections: 600,

  shared_buffers: "'128MB'",
  huge_pages: 'off',
  jit: 'off',

  // A backend notices within this time that the proxy is no longer there to read its answer.
  client_connection_check_interval: "'5s'",

  // What was acknowledged survives kill -9 and a power cut.
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  // Nothing replicates from here.
  wal_level: 'minimal',
  max_wal_senders: 0,

  timezone: "'UTC'",
  datestyle: "'iso, mdy'",
  client_encoding: "'UTF8'",
  default_text_search_config: "'pg_catalog.english'",
  lc_messages: "'C'",
  lc_monetary: "'C'",
  lc_numeric: "'C'",
  lc_time: "'C'",

  logging_collector: 'off',
  log_destination: "'stderr'",
  log_timezone: "'UTC'",
  log_line_prefix: `'${linePrefix}'`,
  log_min_messages: 'error',
  log_error_verbosity: 'terse',
  log_statement: "'none'",
  log_min_error_statement: 'panic',
  log_min_duration_statement: -1,
  log_parameter_max_length: 0,
  log_parameter_max_length_on_error: 0,
  log_checkpoints: 'off',
};

const configuration = `# Written by HatiData at each start; changes made here are lost.
${Object.entries(settings)
  .map(([name, value]) => `${name} = ${value}`)
  .join('\n')}
`;

/** Everybody proves who he is, the superuser too. https://www.postgresql.org/docs/18/auth-pg-hba-conf.html */
const hostBasedAuthentication = `# Written by HatiData at each start; changes made here are lost.
local all all scram-sha-256
`;

export async function writeSettings(
  dataDirectory: string,
  user: OperatingUser | undefined,
): Promise<void> {
  await replaceFile(join(dataDirectory, 'postgresql.conf'), configuration, user);
  await replaceFile(join(dataDirectory, 'pg_hba.conf'), hostBasedAuthentication, user);
}

async function replaceFile(
  path: string,
  content: string,
  user: OperatingUser | undefined,
): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(content);
    const { uid, gid } = asUser(user);
    if (uid !== undefined && gid !== undefined) await file.chown(uid, gid);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
