import { boot, f, RawClient, show, ask, q, log, run, sleep, timed } from './lib.ts';
const p = await boot();
const L = (o = {}) => RawClient.login(p.port, '', o);
await q(await L(), 'CREATE TABLE t (id serial primary key, name text)');
await run('COPY extended, CopyDone+Flush, no Sync', p, async () => {
  const a = await L(),
    b = await L();
  a.send(f.parse('', 'COPY t (name) FROM STDIN'), f.bind('', ''), f.execute(''), f.sync());
  log(show(await a.until('G')));
  a.send(f.copyData('fromA\n'), f.copyDone(), f.flush());
  log(await timed(a.until('C').then(show)));
  await sleep(100);
  log(
    'B sees uncommitted',
    await q(b, "SELECT count(*), (SELECT count(*) FROM t WHERE name='fromA') FROM t; SELECT 1/0"),
  );
  log('A sync', await ask(a, f.sync()));
  log('A data', await q(a, "SELECT count(*) FROM t WHERE name='fromA'"));
  a.close();
  b.close();
});
await run('ensure under other settings poisons', p, async () => {
  const a = await L(),
    b = await L();
  const E = (n: string, t: string) => [f.parse(n, t), f.bind('', n), f.execute(''), f.sync()];
  const T = "SELECT extract(month from '04/05/2020'::date)";
  log('A MDY parse', await ask(a, ...E('m', T)));
  await q(a, "SET DateStyle='ISO, DMY'");
  await q(b, 'DEALLOCATE ALL'); // the link forgets (or: another link)
  log('A DMY reuse', await ask(a, f.bind('', 'm'), f.execute(''), f.sync()));
  log('B MDY fresh, expect 4', await ask(b, ...E('m', T)));
  a.close();
  b.close();
});
await run('DISCARD in multi / extended, then Parse same name', p, async () => {
  const a = await L();
  await ask(a, f.parse('p', 'SELECT 1'), f.sync());
  log(await q(a, 'DEALLOCATE ALL; SELECT 1'));
  log('reparse (PG: 1)', await ask(a, f.parse('p', 'SELECT 2'), f.sync()));
  log('ext', await ask(a, f.parse('', 'DEALLOCATE ALL'), f.bind('', ''), f.execute(''), f.sync()));
  log('reparse (PG: 1)', await ask(a, f.parse('p', 'SELECT 2'), f.sync()));
  log('ext', await ask(a, f.parse('', 'DISCARD ALL'), f.bind('', ''), f.execute(''), f.sync()));
  log('reparse (PG: 1)', await ask(a, f.parse('p', 'SELECT 2'), f.sync()));
  a.close();
});
await run('DEALLOCATE in failed tx', p, async () => {
  const a = await L();
  await ask(a, f.parse('p', 'SELECT 1'), f.sync());
  await q(a, 'BEGIN');
  await q(a, 'SELECT 1/0');
  log(await q(a, 'DEALLOCATE p'));
  await q(a, 'ROLLBACK');
  log('bind p (PG: 2)', await ask(a, f.bind('', 'p'), f.execute(''), f.sync()));
  await ask(a, f.parse('p2', 'SELECT 1'), f.sync());
  log(await q(a, 'SELECT 1/0; DEALLOCATE p2'));
  log('bind p2 (PG: 2)', await ask(a, f.bind('', 'p2'), f.execute(''), f.sync()));
  await ask(a, f.parse('p3', 'SELECT 33'), f.parse('dd', 'DEALLOCATE p3'), f.sync());
  log(
    await ask(
      a,
      f.parse('', 'SELECT 1/0'),
      f.bind('', ''),
      f.execute(''),
      f.bind('', 'dd'),
      f.execute(''),
      f.sync(),
    ),
  );
  log('bind p3 (PG: 2)', await ask(a, f.bind('', 'p3'), f.execute(''), f.sync()));
  a.close();
});
await run('pg_prepared_statements and hd_ names', p, async () => {
  const a = await L(),
    b = await L();
  log(
    'A',
    await ask(
      a,
      f.parse('x', "SELECT 'secret literal of A'::text"),
      f.bind('', 'x'),
      f.execute(''),
      f.sync(),
    ),
  );
  const r = await q(
    b,
    "SELECT name, statement FROM pg_prepared_statements WHERE statement LIKE '%secret%'",
  );
  log('B sees', r);
  const name = r[1].split('|')[0].slice(2);
  log('B executes it', await q(b, `EXECUTE ${name}`));
  log('B deallocates', await q(b, `DEALLOCATE ${name}`));
  log('A again', await ask(a, f.bind('', 'x'), f.execute(''), f.sync()));
  log('A again', await ask(a, f.bind('', 'x'), f.execute(''), f.sync()));
  log(
    'C new',
    await ask(
      await L(),
      f.parse('x', "SELECT 'secret literal of A'::text"),
      f.bind('', 'x'),
      f.execute(''),
      f.sync(),
    ),
  );
  a.close();
  b.close();
});
await run('view/field/cast with code: no taint', p, async () => {
  const a = await L(),
    b = await L();
  log(
    await q(
      a,
      `CREATE FUNCTION spy() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path','pg_catalog',false), set_config('standard_conforming_strings','off',false), set_config('my.v','fromview',false), pg_advisory_lock(7); RETURN 1; END $$;
   CREATE VIEW vspy AS SELECT spy() AS x`,
    ),
  );
  await q(a, 'DISCARD ALL');
  await sleep(300);
  log('A', await q(a, 'SELECT * FROM vspy'));
  log(
    'B',
    await q(
      b,
      "SELECT current_setting('my.v',true), current_setting('standard_conforming_strings'), current_setting('search_path'), (SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid())",
    ),
  );
  log('B literal', await q(b, String.raw`SELECT 'a\'b', 'x'`));
  a.close();
  b.close();
  const c = await L();
  log(await q(c, 'DISCARD ALL'));
  log(
    await q(c, `CREATE DOMAIN dspy AS int CHECK (public_spy(VALUE) > 0)`),
    await q(
      c,
      `CREATE FUNCTION chk(int) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('my.d','fromdomain',false); RETURN true; END $$; CREATE DOMAIN dspy AS int CHECK (chk(VALUE))`,
    ),
  );
  await sleep(300);
  log(await q(c, 'SELECT 5::dspy'));
  const d = await L();
  log('D', await q(d, "SELECT current_setting('my.d',true)"));
  c.close();
  d.close();
});
await run('large setting', p, async () => {
  const a = await L(),
    b = await L();
  log(await q(a, `SET my.big = '${'x'.repeat(1_200_000)}'`));
  log('A next', await q(a, 'SELECT 1'));
  log('B', await q(b, 'SELECT 1'));
  a.close();
  b.close();
});
await run('transaction_isolation remembered', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, 'BEGIN');
  await q(a, "SET transaction_isolation = 'serializable'");
  await q(a, 'COMMIT');
  await q(a, "SET default_transaction_isolation = 'repeatable read'");
  await q(b, "SET default_transaction_isolation = 'serializable'");
  await q(b, 'SELECT 1');
  log('A', await q(a, 'SELECT 1'));
  log('B', await q(b, 'SELECT 1'));
  log('A', await q(a, 'SELECT 1'));
  log('A', await q(a, 'RESET ALL'));
  log('A', await q(a, 'SELECT 3'));
  const c = await L();
  await q(c, 'BEGIN');
  await q(c, 'SET transaction_read_only = on');
  await q(c, 'COMMIT');
  await q(c, 'SET default_transaction_read_only = on');
  await q(b, 'SELECT 1');
  log('C', await q(c, 'SELECT 1'));
  log('C', await q(c, 'SET default_transaction_read_only = off'));
  await q(b, 'SELECT 1');
  log('C', await q(c, 'SELECT 1'));
  a.close();
  b.close();
  c.close();
});
await p.stop();
