import pg from 'pg';
import type { Logger } from 'pino';
import { sql as keys } from './migrations/0001-keys.ts';
import { sql as limits } from './migrations/0002-limits.ts';
import { sql as status } from './migrations/0003-status.ts';
import { sql as instances } from './migrations/0004-instances.ts';
import { sql as organizations } from './migrations/0005-organizations.ts';
import { sql as logins } from './migrations/0006-logins.ts';
import { sql as invitations } from './migrations/0007-invitations.ts';
import { sql as webhooks } from './migrations/0008-webhooks.ts';
import { sql as singleSignOn } from './migrations/0009-single-sign-on.ts';
import { sql as manyKeys } from './migrations/0010-many-keys.ts';
import { sql as receiversAndRecovery } from './migrations/0011-receivers-and-recovery.ts';

/** In order; a migration that has been released is never edited. */
const migrations: readonly { readonly name: string; readonly sql: string }[] = [
  { name: '0001-keys', sql: keys },
  { name: '0002-limits', sql: limits },
  { name: '0003-status', sql: status },
  { name: '0004-instances', sql: instances },
  { name: '0005-organizations', sql: organizations },
  { name: '0006-logins', sql: logins },
  { name: '0007-invitations', sql: invitations },
  { name: '0008-webhooks', sql: webhooks },
  { name: '0009-single-sign-on', sql: singleSignOn },
  { name: '0010-many-keys', sql: manyKeys },
  { name: '0011-receivers-and-recovery', sql: receiversAndRecovery },
];

/** Any two proxies that start at once take turns on this advisory lock of the control store. */
const migrationLock = 5_439_001;

/** Brings the control store up to date. Each migration is one transaction. */
export async function migrate(config: pg.ClientConfig, log: Logger): Promise<void> {
  const client = new pg.Client({ ...config, application_name: 'hatidata migration' });
  // A connection that breaks is reported by the query that is running.
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('SELECT pg_catalog.pg_advisory_lock($1)', [migrationLock]);
    await client.query('CREATE SCHEMA IF NOT EXISTS hatidata');
    await client.query(
      `CREATE TABLE IF NOT EXISTS hatidata.migrations
         (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())`,
    );
    const applied = await client.query<{ name: string }>('SELECT name FROM hatidata.migrations');
    const done = new Set(applied.rows.map((row) => row.name));
    for (const unknown of [...done].filter(
      (name) => !migrations.some((known) => known.name === name),
    )) {
      throw new Error(
        `the control store was made by a newer HatiData (it has migration ${unknown}); install that version`,
      );
    }
    for (const migration of migrations.filter((each) => !done.has(each.name))) {
      await apply(client, migration);
      log.info({ migration: migration.name }, 'control store migrated');
    }
  } finally {
    // Ends the session and with it the lock.
    await client.end();
  }
}

async function apply(client: pg.Client, migration: { name: string; sql: string }): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO hatidata.migrations (name) VALUES ($1)', [migration.name]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
}
