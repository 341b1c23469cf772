/** One value over everything in a database that a statement could have changed and that stays. */

export type Ask = (sql: string) => Promise<readonly (readonly (string | null)[])[]>;

const isUsers = (namespace: string): string =>
  `${namespace} NOT IN (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname ~ '^pg_' OR nspname = 'information_schema')`;

const relationsSql = `
  SELECT oid::regclass::text FROM pg_catalog.pg_class
   WHERE relkind IN ('r', 'm', 'S') AND ${isUsers('relnamespace')} ORDER BY 1`;

/** What is in the server and database beside rows of tables; each row as text. */
const objectsSql: readonly string[] = [
  `SELECT format('%s %s %s', oid, relname, relkind) FROM pg_catalog.pg_class WHERE ${isUsers('relnamespace')}`,
  `SELECT format('%s %s', oid, proname) FROM pg_catalog.pg_proc WHERE ${isUsers('pronamespace')}`,
  `SELECT format('%s %s', oid, typname) FROM pg_catalog.pg_type WHERE ${isUsers('typnamespace')}`,
  `SELECT n::text FROM pg_catalog.pg_namespace n WHERE nspname !~ '^pg_(temp|toast_temp)'`,
  'SELECT r::text FROM pg_catalog.pg_roles r',
  'SELECT d::text FROM pg_catalog.pg_db_role_setting d',
  'SELECT x.gid FROM pg_catalog.pg_prepared_xacts x',
  'SELECT l::text FROM pg_catalog.pg_largeobject_metadata l',
  'SELECT e.extname::text FROM pg_catalog.pg_extension e',
  `SELECT format('%s %s', name, setting) FROM pg_catalog.pg_settings WHERE source IN ('configuration file', 'database', 'user')`,
];

const md5Of = (rows: string): string =>
  `SELECT md5(string_agg(x, E'\\n' ORDER BY x)) FROM (${rows}) AS list (x)`;

export async function digestOf(ask: Ask): Promise<string> {
  const relations = (await ask(relationsSql)).map(([name]) => name ?? '');
  const parts: string[] = [];
  for (const name of relations) {
    const rows = await ask(md5Of(`SELECT digested::text FROM (SELECT * FROM ${name}) AS digested`));
    parts.push(`${name} ${rows[0]?.[0] ?? 'empty'}`);
  }
  for (const sql of objectsSql) {
    const rows = await ask(md5Of(sql));
    parts.push(rows[0]?.[0] ?? 'none');
  }
  return parts.join('\n');
}
