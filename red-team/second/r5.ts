import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
import { LinkStatements } from '../../src/engine/pool/link-statements.ts';
const seen = new Set<any>();
const orig = LinkStatements.prototype.sent;
(LinkStatements.prototype as any).sent = function (s: any) {
  seen.add(this);
  return orig.call(this, s);
};
const sizes = () =>
  [...seen].map((x) => [x.known.size, Math.round(x.bytes / 1e6) + ' MB'].join('/')).join(' , ');
const p = await boot();
const L = (o: any = {}) => RawClient.login(p.port, '', o);
{
  const a = await L();
  log(await q(a, 'CREATE TABLE t (i int); CREATE TABLE tt (x text)'));
  a.close();
}
await run('failing named Parses pile up on the link', p, async () => {
  const a = await L(),
    b = await L();
  const big = 'x'.repeat(5000);
  for (let i = 0; i < 2000; i++)
    await ask(a, f.parse('s' + i, `SELECT nocol${i}, '${big}'`), f.sync());
  log('known', sizes());
  a.close();
  await sleep(100);
  const count = async () => (await q(b, 'SELECT 1'))[0];
  for (let k = 0; k < 5; k++) await ask(b, f.parse('k' + k, `SELECT ${k}::int`), f.sync());
  const st: any = [...seen][0];
  log(
    'confirmed of 5 just prepared:',
    [...st.known].filter(([s, v]: any) => v === 'confirmed').length,
  );
  let parses = 0;
  (LinkStatements.prototype as any).sent = function (s: any) {
    parses++;
    return orig.call(this, s);
  };
  for (let i = 0; i < 50; i++) await ask(b, f.bind('', 'k' + (i % 5)), f.execute(''), f.sync());
  log('parses for 50 binds of 5 statements', parses);
  b.close();
});
await run('doubt by client 26000', p, async () => {
  const b = await L();
  for (let k = 0; k < 5; k++) await ask(b, f.parse('k' + k, `SELECT ${k}::int`), f.sync());
  log('known', sizes());
  b.close();
});
await run('unrestorable setting', p, async () => {
  const a = await L(),
    b = await L();
  log(await q(a, 'CREATE TEXT SEARCH CONFIGURATION cfg (COPY = simple)'));
  log(await q(b, "SET default_text_search_config = 'main.cfg'"));
  log(await q(a, 'DROP TEXT SEARCH CONFIGURATION cfg'), await q(a, "SET my.z = '1'"));
  log(
    'B',
    await q(b, 'SELECT 1'),
    await q(b, 'RESET ALL'),
    await q(b, 'DISCARD ALL'),
    await q(b, 'SELECT 1'),
  );
  a.close();
  b.close();
});
await run('values that can not be put back', p, async () => {
  for (const set of [
    "SET TIME ZONE INTERVAL '+02:30' HOUR TO MINUTE",
    'SET TIME ZONE -7',
    'SET search_path = "a,b", \'C\'',
    "SET search_path = ''",
    'SET my."x" = \'it\'\'s \\ "q"\'',
    "SET my.a.b = 'x'",
    "SET DateStyle = 'German'",
    "SET work_mem = '3MB'",
    "SET log_min_messages='error'",
    'SET vacuum_cost_delay = 1.5',
    "SET default_transaction_isolation = 'serializable'",
    'SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY',
    "SET bytea_output='escape'",
    'SET extra_float_digits = 0',
    'SET geqo_seed = 0.123456789',
    "SET TIMEZONE = 'Europe/Zurich'",
    "SET application_name = 'héé'",
    'SET xmloption = document',
    "SET lc_monetary = 'C'",
    "SET client_min_messages = 'error'",
    'SET ROLE none',
    'SET plan_cache_mode = force_generic_plan',
    "SET statement_timeout = '1h'",
    "SET temp_tablespaces = ''",
    'SET debug_parallel_query = on',
    'SET default_table_access_method = heap',
    "SET restrict_nonsystem_relation_kind = 'view'",
    'SET lock_timeout = 1',
    'SET idle_in_transaction_session_timeout = 1',
    "SET local_preload_libraries = ''",
    "SET my.u = 'ü€'",
  ]) {
    const a = await L(),
      b = await L();
    const name = /ZONE/i.test(set)
      ? 'TimeZone'
      : /CHARACT/.test(set)
        ? 'default_transaction_read_only'
        : set.split(/[ =]/)[1]!.replaceAll('"', '');
    const s = await q(a, set);
    const v1 = await q(a, `SELECT current_setting('${name}')`);
    await q(b, "SET my.b = '2'");
    const v2 = await timed(q(a, `SELECT current_setting('${name}')`));
    const D = (x: any) => (Array.isArray(x) ? x.filter((y: string) => /^[DE]/.test(y)).join() : x);
    if (D(v1) !== D(v2) || !D(v1) || s.some((y: string) => y.startsWith('E')))
      log(set, D(s), v1, v2);
    a.close();
    b.close();
    await sleep(30);
  }
});
await run('trigger poison: cleaning fails / slow for the next client', p, async () => {
  const a = await L(),
    b = await L();
  log(
    await q(
      a,
      "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN FOR i IN 1..2500 LOOP EXECUTE format('CREATE TEMP TABLE IF NOT EXISTS z%s_%s(i int)', NEW.x, i); END LOOP; RETURN NEW; END $$; CREATE TRIGGER tr BEFORE INSERT ON tt FOR EACH ROW EXECUTE FUNCTION tf()",
    ),
  );
  await q(a, 'DISCARD ALL');
  for (let i = 0; i < 6; i++) log(await timed(q(a, `INSERT INTO tt VALUES ('${i}')`), 30000));
  const t = Date.now();
  log('B', await timed(q(b, 'SELECT 1'), 30000), Date.now() - t, 'ms');
  log('B', await timed(q(b, 'SELECT 1'), 30000));
  await q(a, 'DROP TRIGGER tr ON tt');
  log(
    await q(
      a,
      "CREATE OR REPLACE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('statement_timeout','1',false), set_config('lock_timeout','1',false); FOR i IN 1..300 LOOP EXECUTE format('CREATE TEMP TABLE IF NOT EXISTS z%s_%s(i int)', NEW.x, i); END LOOP; RETURN NEW; END $$; CREATE TRIGGER tr BEFORE INSERT ON tt FOR EACH ROW EXECUTE FUNCTION tf()",
    ),
  );
  await q(a, 'DISCARD ALL');
  for (let k = 0; k < 3; k++) {
    log('A', await timed(q(a, `INSERT INTO tt VALUES ('k${k}')`), 30000));
    log('B under 1 ms timeout', await timed(q(b, 'SELECT 1'), 30000));
  }
  a.close();
  b.close();
});
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
