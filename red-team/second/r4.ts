import { boot, f, RawClient, show, ask, q, log, run, sleep, timed } from './lib.ts';
const p = await boot();
const L = (o: any = {}) => RawClient.login(p.port, '', o);
{
  const a = await L();
  log(await q(a, 'CREATE TABLE t (i int); CREATE TABLE tt (x text)'));
  a.close();
}
const X = (t: string) => [f.parse('', t), f.bind('', ''), f.execute('')];
const pinned = async (name: string, ...qs: string[]) => {
  const a = await L(),
    b = await L();
  const out: any = [];
  for (const x of qs)
    out.push(
      [await timed(q(a, x))]
        .flat()
        .filter((y: string) => /^[EC]/.test(y))
        .join(','),
    );
  const r = await timed(
    q(
      b,
      "SELECT (SELECT string_agg(relname, ',') FROM pg_class WHERE relnamespace = pg_my_temp_schema()), (SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid()), (SELECT string_agg(x, ',') FROM pg_listening_channels() x), (SELECT string_agg(name, ',') FROM pg_cursors), current_setting('search_path'), current_setting('my.l', true), (SELECT count(*) FROM pg_proc WHERE pronamespace=pg_my_temp_schema())",
    ),
    700,
  );
  log(
    name,
    out.join(' | '),
    '=> B:',
    Array.isArray(r)
      ? r.filter((x: string) => /^[ED]/.test(x)).join()
      : r === 'HANG'
        ? 'waits (A is pinned)'
        : r,
  );
  a.close();
  b.close();
  await sleep(150);
};
await pinned('select into temp', 'SELECT 1 AS x INTO TEMP si');
await pinned('temp view', 'CREATE TEMP VIEW tv AS SELECT 1');
await pinned('view over temp', 'CREATE TEMP TABLE q1(i int); DISCARD TEMP');
await pinned('temp seq', 'CREATE TEMP SEQUENCE ts');
await pinned('pg_temp fn', 'CREATE FUNCTION pg_temp.ff() RETURNS int LANGUAGE sql AS $$SELECT 1$$');
await pinned('pg_temp type', 'CREATE TYPE pg_temp.ty AS (a int)');
await pinned('pg_temp domain', 'CREATE DOMAIN pg_temp.dd AS int');
await pinned(
  'set local path',
  'BEGIN; SET LOCAL search_path = pg_temp; CREATE TABLE loc(i int); COMMIT',
);
await pinned(
  'set_config local path',
  "BEGIN; SELECT set_config('search_path','pg_temp',true); CREATE TABLE loc2(i int); COMMIT",
);
await pinned(
  'set_config expr path',
  "SELECT set_config('search_path','pg_'||'temp',false); CREATE TABLE loc3(i int)",
);
await pinned('explain analyze create temp', 'EXPLAIN ANALYZE CREATE TEMP TABLE ea AS SELECT 1');
await pinned(
  'alter table set schema',
  'CREATE SCHEMA IF NOT EXISTS s2; CREATE TABLE al(i int)',
  'ALTER TABLE al SET SCHEMA pg_temp',
);
await pinned('create schema elt', 'CREATE UNLOGGED TABLE un(i int)');
await pinned(
  'ctas execute temp',
  'PREPARE zz AS SELECT 1; CREATE TEMP TABLE ce AS EXECUTE zz; DEALLOCATE zz',
);
await pinned('cursor hold', 'DECLARE ch CURSOR WITH HOLD FOR SELECT 1');
await pinned('cursor hold in tx', 'BEGIN; DECLARE ch2 CURSOR WITH HOLD FOR SELECT 1; COMMIT');
await pinned('lock in where', 'SELECT 1 WHERE pg_try_advisory_lock(5)');
await pinned('lock shared 2 args', 'SELECT pg_try_advisory_lock_shared(5,6)');
await pinned(
  'lock in default',
  'CREATE TABLE dl(i int, b bool DEFAULT pg_try_advisory_lock(77)); INSERT INTO dl(i) VALUES (1)',
);
await pinned('insert default later', 'INSERT INTO dl(i) VALUES (1)');
await pinned(
  'lock by index expr/check',
  'CREATE TABLE ck(i int CHECK (pg_try_advisory_lock(i)))',
  'INSERT INTO ck VALUES (88)',
);
await pinned(
  'view',
  "CREATE VIEW vl AS SELECT pg_try_advisory_lock(78) AS l, set_config('my.l','A',false) AS s",
  'SELECT * FROM vl',
);
await pinned(
  'generated/rule',
  'CREATE TABLE rl(i int); CREATE RULE r AS ON INSERT TO rl DO ALSO SELECT pg_try_advisory_lock(79)',
  'INSERT INTO rl VALUES (1)',
);
await pinned(
  'lock via execute ... using param',
  'PREPARE pl(int) AS SELECT pg_try_advisory_lock($1)',
  'EXECUTE pl(99)',
  'DEALLOCATE pl',
);
await pinned(
  'policy',
  'CREATE TABLE pt(i int); INSERT INTO pt VALUES (1); ALTER TABLE pt ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; CREATE POLICY pp ON pt USING (pg_try_advisory_lock(80))',
  'SELECT * FROM pt',
  'SELECT count(*) FROM pt',
);
await pinned('merge/cte', 'WITH x AS (SELECT pg_try_advisory_lock(81)) SELECT * FROM x');
await pinned('listen in multi', 'SELECT 1; LISTEN cc');
await pinned('set in multi with discard temp', "SET my.l = 'A'; SELECT 1");
await pinned('set in failing multi', "SET my.l = 'A'; SELECT 1/0");
await pinned('tx set commit fail', "BEGIN; SET my.l='A'; COMMIT; SELECT 1/0");
await pinned('savepoint', "BEGIN; SAVEPOINT s; SET my.l='A'; ROLLBACK TO s; COMMIT");
await pinned('set_config computed', "SELECT set_config('my.'||'l','A',false)");
await pinned(
  'update pg_settings',
  "UPDATE pg_settings SET setting='pg_catalog' WHERE name='search_path'",
);
await pinned('alter system/role', "ALTER ROLE current_user SET my.l = 'A'");
await pinned(
  'create func SET',
  "CREATE FUNCTION fs() RETURNS text LANGUAGE sql SET my.l='Z' AS $$SELECT current_setting('my.l')$$",
  'SELECT fs()',
);
await pinned('EXECUTE by name case', 'PREPARE abc AS SELECT 1', 'EXECUTE ABC', 'DEALLOCATE "abc"');
await pinned('DISCARD PLANS/SEQUENCES', 'DISCARD PLANS', 'DISCARD SEQUENCES', 'DISCARD TEMP');
await pinned('RESET SESSION AUTH', 'RESET SESSION AUTHORIZATION', 'RESET ROLE', 'SET ROLE NONE');
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
