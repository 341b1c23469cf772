import { boot, f, RawClient, show, ask, q, log, run, sleep, timed } from './lib.ts';
const p = await boot();
const L = (o: any = {}) => RawClient.login(p.port, '', o);
{
  const a = await L();
  log(await q(a, 'CREATE TABLE t (i int); CREATE TABLE tt (x text)'));
  a.close();
}
const X = (t: string) => [f.parse('', t), f.bind('', ''), f.execute('')];
await run('1 extended DISCARD ALL + temp table in one batch', p, async () => {
  const a = await L(),
    b = await L();
  a.send(
    ...X('DISCARD ALL'),
    ...X("CREATE TEMP TABLE sec AS SELECT 'of A' AS x"),
    ...X('LISTEN chan'),
    ...X('SELECT pg_try_advisory_lock(7)'),
    ...X("SET my.leak='A'"),
    f.sync(),
  );
  log('A', await timed(a.untilReady().then(show)));
  log(
    'B',
    await q(b, 'SELECT * FROM sec'),
    await q(
      b,
      "SELECT pg_listening_channels(), current_setting('my.leak', true), (SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid())",
    ),
  );
  a.close();
  b.close();
});
await run('2 RESET ALL then SET in one batch', p, async () => {
  const a = await L(),
    b = await L();
  a.send(...X('RESET ALL'), ...X("SET my.leak2='A'"), ...X("SET DateStyle='ISO, DMY'"), f.sync());
  log('A', await timed(a.untilReady().then(show)));
  log('B', await q(b, "SELECT current_setting('my.leak2', true), current_setting('DateStyle')"));
  log('A', await q(a, "SELECT current_setting('my.leak2', true), current_setting('DateStyle')"));
  a.close();
  b.close();
});
await run('3 RESET ALL rolled back by a later error in the batch', p, async () => {
  const a = await L(),
    b = await L();
  log(await q(a, "SET my.leak3='A'"));
  a.send(...X('RESET ALL'), ...X('SELECT 1/0'), f.sync());
  log('A', await timed(a.untilReady().then(show)));
  log('B', await q(b, "SELECT current_setting('my.leak3', true)"));
  log('A', await q(a, "SELECT current_setting('my.leak3', true)"));
  a.close();
  b.close();
});
await run('4 two levels of EXECUTE', p, async () => {
  const a = await L(),
    b = await L();
  log(
    await ask(
      a,
      f.parse('q1', "SELECT pg_try_advisory_lock(42), set_config('my.leak4','fromA',false)"),
      f.sync(),
    ),
  );
  log(await ask(a, f.parse('p1', 'EXECUTE q1'), f.sync()));
  log(await q(a, 'EXECUTE p1'));
  log(
    'B sees',
    await q(
      b,
      "SELECT current_setting('my.leak4',true), (SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid())",
    ),
  );
  a.close();
  b.close();
});
await run('5 EXECUTE; COPY in one Query', p, async () => {
  const a = await L(),
    b = await L();
  log(await ask(a, f.parse('p', 'SELECT 1'), f.sync()));
  a.send(f.query('EXECUTE p; COPY t FROM STDIN'));
  const r = await timed(a.until('G').then(show), 1500);
  log(r);
  a.send(f.copyData('1\n'), f.copyDone());
  log('A', await timed(a.untilReady().then(show)));
  log('A', await timed(q(a, 'SELECT 1')));
  a.close();
  log('B', await q(b, 'SELECT 1'));
  b.close();
});
await run('6 Parse bad, Query EXECUTE p, Sync', p, async () => {
  const a = await L();
  log(await ask(a, f.parse('p', "INSERT INTO tt VALUES ('ran') RETURNING x"), f.sync()));
  a.send(f.parse('', 'SELEC'), f.query('EXECUTE p'), f.sync());
  log(
    'A',
    await timed(a.untilReady().then(show)),
    await timed(a.untilReady().then(show), 500),
    await timed(a.untilReady().then(show), 500),
  );
  a.close();
});
await run('7 names', p, async () => {
  const a = await L();
  log('pipelined DEALLOCATE p + Parse p');
  await ask(a, f.parse('n', 'SELECT 1'), f.sync());
  a.send(
    f.query('DEALLOCATE n'),
    f.parse('n', 'SELECT 2'),
    f.bind('', 'n'),
    f.execute(''),
    f.sync(),
  );
  log(await timed(a.untilReady().then(show)), await timed(a.untilReady().then(show)));
  log('DEALLOCATE n2; PREPARE n2');
  await ask(a, f.parse('n2', 'SELECT 1'), f.sync());
  log(await q(a, 'DEALLOCATE n2; PREPARE n2 AS SELECT 22; EXECUTE n2'));
  const b = await L();
  await ask(b, f.parse('n3', 'SELECT 1'), f.sync());
  log(
    'DEALLOCATE ALL; PREPARE n3',
    await timed(q(b, 'DEALLOCATE ALL; PREPARE n3 AS SELECT 33; EXECUTE n3'), 12000),
  );
  a.close();
  b.close();
  await sleep(200);
  const c = await L();
  await ask(c, f.parse('n4', 'SELECT 1'), f.sync());
  log(
    'DEALLOCATE ALL; error',
    await q(c, 'DEALLOCATE ALL; SELECT 1/0'),
    'Parse n4',
    await ask(c, f.parse('n4', 'SELECT 2'), f.bind('', 'n4'), f.execute(''), f.sync()),
  );
  await q(c, 'DEALLOCATE ALL');
  await ask(c, f.parse('n5', 'SELECT 1'), f.sync());
  log(
    'DEALLOCATE n5; error',
    await q(c, 'DEALLOCATE n5; SELECT 1/0'),
    'Parse n5',
    await ask(c, f.parse('n5', 'SELECT 2'), f.bind('', 'n5'), f.execute(''), f.sync()),
  );
  log(
    'EXPLAIN EXECUTE',
    await ask(c, f.parse('e1', 'SELECT 5 AS v'), f.sync()),
    await q(c, 'EXPLAIN EXECUTE e1'),
    await q(c, 'CREATE TABLE ctas AS EXECUTE e1'),
    await q(c, 'SELECT * FROM ctas'),
    await q(c, 'DEALLOCATE PREPARE e1'),
    await q(c, 'EXECUTE e1'),
  );
  await ask(c, f.parse('Big', 'SELECT 7'), f.parse('small', 'SELECT 8'), f.sync());
  log('case', await q(c, 'EXECUTE "Big"'), await q(c, 'EXECUTE SMALL'), await q(c, 'EXECUTE big'));
  log(
    'DO',
    await q(c, "DO $$ BEGIN EXECUTE 'PREPARE indo AS SELECT 9'; END $$"),
    await q(c, 'EXECUTE indo'),
    await q(c, 'DEALLOCATE indo'),
  );
  const n70 = 'a'.repeat(70);
  log(
    'long',
    await q(c, `PREPARE ${n70} AS SELECT 70`),
    await q(c, `EXECUTE ${n70}`),
    await ask(c, f.bind('', n70), f.execute(''), f.sync()),
    await ask(c, f.bind('', n70.slice(0, 63)), f.execute(''), f.sync()),
    await ask(c, f.parse('b'.repeat(70), 'SELECT 1'), f.sync()),
  );
  log(
    'rolled back',
    await q(c, 'BEGIN'),
    await q(c, 'PREPARE rb AS SELECT 11'),
    await q(c, 'ROLLBACK'),
    await q(c, 'EXECUTE rb'),
    await q(c, 'DEALLOCATE rb'),
    await q(c, 'EXECUTE rb'),
    await q(c, 'DISCARD ALL'),
    await q(c, 'PREPARE rb AS SELECT 12'),
    await q(c, 'EXECUTE rb'),
  );
  c.close();
});
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
