import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
const p = await boot();
const L = (o: any = {}) => RawClient.login(p.port, '', o);
{
  const a = await L();
  log(await q(a, 'CREATE TABLE t (i int); CREATE TABLE tt (x text)'));
  a.close();
}
const d = new pg.Client({ ...p.direct('writer') });
await d.connect();
const X = (t: string) => [f.parse('', t), f.bind('', ''), f.execute('')];
const term = Buffer.from([0x58, 0, 0, 0, 4]);
await run('Terminate behind a long statement (7 s)', p, async () => {
  const a = await L();
  a.send(f.query("INSERT INTO tt SELECT 'long' FROM pg_sleep(7)"), term);
  const b = await L();
  b.send(f.query('SELECT 5'));
  const a2 = Date.now();
  log('B waits for place', await timed(b.untilReady().then(show), 15000), Date.now() - a2);
  await sleep(300);
  log('ran?', (await d.query("SELECT count(*) FROM tt WHERE x='long'")).rows[0]);
  b.close();
});
await run('Terminate behind long unsynced + explicit tx commit', p, async () => {
  const a = await L();
  a.send(...X("INSERT INTO tt SELECT 'l2' FROM pg_sleep(6)"), f.sync(), term);
  await sleep(7500);
  log('ran?', (await d.query("SELECT count(*) FROM tt WHERE x='l2'")).rows[0]);
});
await run('DISCARD ALL by client pipelined + Terminate', p, async () => {
  const a = await L();
  a.send(f.query('DISCARD ALL'), f.query("INSERT INTO tt VALUES ('after discard')"), term);
  await sleep(500);
  log('ran?', (await d.query("SELECT count(*) FROM tt WHERE x='after discard'")).rows[0]);
});
await run('client leaves (RST/FIN) while the barrier waits (RESET ALL; pg_sleep)', p, async () => {
  const a = await L();
  a.send(f.query('RESET ALL; SELECT pg_sleep(60)'), f.query('SELECT 1'));
  await sleep(300);
  a.close();
  const b = await L();
  const t = Date.now();
  log('B', await timed(q(b, 'SELECT 1'), 6000), Date.now() - t);
  b.close();
  await d.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
  );
  await sleep(300);
});
await run('client leaves while pg_sleep runs without barrier (compare)', p, async () => {
  const a = await L();
  a.send(f.query('SELECT pg_sleep(60)'));
  await sleep(300);
  a.close();
  const b = await L();
  const t = Date.now();
  log('B', await timed(q(b, 'SELECT 1'), 6000), Date.now() - t);
  b.close();
  await d.query(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()",
  );
  await sleep(300);
});
await run('cancel during barrier', p, async () => {
  const a = await L();
  a.send(f.query('RESET ALL; SELECT pg_sleep(3)'), f.query('SELECT 2'));
  log(await timed(a.untilReady().then(show), 5000), await timed(a.untilReady().then(show), 5000));
  a.close();
});
await run('EXECUTE exports + cancel/other session same name', p, async () => {
  const a = await L(),
    b = await L();
  await ask(a, f.parse('p', "SELECT 'of A'"), f.sync());
  await ask(b, f.parse('p', "SELECT 'of B'"), f.sync());
  for (let i = 0; i < 3; i++) log(await q(a, 'EXECUTE p'), await q(b, 'EXECUTE p'));
  log(
    await ask(a, ...X('EXECUTE p'), ...X('DEALLOCATE p'), f.sync()),
    await q(a, 'EXECUTE p'),
    await q(b, 'EXECUTE p'),
  );
  log('pps', await q(b, 'SELECT name, statement FROM pg_prepared_statements'));
  log(
    'failed tx',
    await q(b, 'BEGIN'),
    await q(b, 'SELECT 1/0'),
    await q(b, 'EXECUTE p'),
    await q(b, 'DEALLOCATE p'),
    await q(b, 'ROLLBACK'),
    await q(b, 'EXECUTE p'),
  );
  log('leftover on engine', (await d.query('SELECT 1')).rowCount);
  a.close();
  b.close();
});
await run(
  'stale own DDL epoch: DDL in a transaction with Parse of another session before the commit',
  p,
  async () => {
    log('skipped (pool 1)');
  },
);
await run('LISTEN + notifications with SET', p, async () => {
  const a = await L();
  await q(a, 'LISTEN ch');
  let n = 0;
  for (let i = 0; i < 50; i++) {
    await d.query(`SELECT pg_notify('ch','${i}')`);
    a.send(f.query("SET my.k='1'"));
    n += (await timed(a.untilReady())).filter(
      (m: any) => (m.type ?? m.code) === 'A' || String(m.type) === '65',
    ).length;
  }
  await sleep(200);
  a.send(f.query('SELECT 1'));
  const r = await timed(a.untilReady());
  log('got', n + show(r).filter((x) => x.startsWith('A')).length, 'sample', show(r).slice(0, 3));
  await q(a, 'DISCARD ALL');
  a.close();
});
await d.end();
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
