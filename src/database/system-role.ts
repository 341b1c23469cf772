import pg from 'pg';
import type { Logger } from 'pino';

/** May see `_hatidata_*` relations and the system catalogues; clients' reads of those run as this role. */
export const systemRole = 'hatidata_system';

/**
 * Makes sure that the role exists, that we may become it, and that it sees what it should.
 * The embedded server makes it at its start, with a login of its own (`hasLogin`). Elsewhere the control role becomes it by
 * SET ROLE, and needs CREATEROLE to make it, or somebody makes it by hand.
 */
export async function prepareSystemRole(
  config: pg.ClientConfig,
  { hasLogin, log }: { readonly hasLogin: boolean; readonly log: Logger },
): Promise<void> {
  const client = new pg.Client({ ...config, application_name: 'hatidata start' });
  // A connection that breaks is reported by the query that is running.
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ member: boolean }>(
      `SELECT pg_catalog.pg_has_role(oid, 'MEMBER') AS member FROM pg_catalog.pg_roles WHERE rolname = $1`,
      [systemRole],
    );
    if (!hasLogin) {
      if (rows.length === 0) await client.query(`CREATE ROLE ${systemRole} NOLOGIN`);
      if (rows[0]?.member !== true) await client.query(`GRANT ${systemRole} TO CURRENT_USER`);
    }
    await client.query(`
      GRANT USAGE ON SCHEMA _hatidata_keys, _hatidata_status TO ${systemRole};
      GRANT SELECT ON ALL TABLES IN SCHEMA _hatidata_keys, _hatidata_status TO ${systemRole};`);
    log.debug({ role: systemRole }, 'system role ready');
  } catch (error) {
    throw new Error(
      `The control store has no role ${systemRole} that its login may use. As an administrator of that server run:` +
        ` CREATE ROLE ${systemRole} NOLOGIN; GRANT ${systemRole} TO <the login of HATIDATA_CONTROL_DATABASE_URL>;`,
      { cause: error },
    );
  } finally {
    await client.end();
  }
}
