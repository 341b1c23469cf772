import { boot, f, RawClient, show, ask, q, log, run, sleep, timed } from './lib.ts';
const p = await boot();
const L = (o: any = {}) => RawClient.login(p.port, '', o);
{
  const a = await L();
  log(await q(a, 'CREATE TABLE t (i int); CREATE TABLE tt (x text)'));
  a.close();
}
const X = (t: string) => [f.parse('', t), f.bind('', ''), f.execute('')];
await run('1 simple COPY bad + Sync + Q2; B waits already', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, 'BEGIN');
  b.send(f.query("SELECT 'B1'"));
  await sleep(200);
  a.send(f.query('COMMIT'));
  log(show(await a.untilReady()));
  log('B1', await timed(b.untilReady().then(show)));
  a.send(f.query('COPY t FROM STDIN'));
  await a.until('G');
  const B = (async () => {
    for (let i = 0; i < 6; i++) log('B' + (i + 2), await timed(q(b, `SELECT 'B${i + 2}'`), 3000));
  })();
  await sleep(200);
  a.send(f.copyData('bad\n'), f.sync(), f.query("SELECT 'forged by A', pg_sleep(0.3)"));
  await B;
  a.close();
  b.close();
});
await run('failing named Parses pile up', p, async () => {
  const a = await L(),
    b = await L();
  const big = 'x'.repeat(20000);
  log(await ask(b, f.parse('good', 'SELECT 1 AS good'), f.sync()));
  (globalThis as any).gc?.();
  const m0 = process.memoryUsage().heapUsed;
  const t0 = Date.now();
  for (let i = 0; i < 3000; i++)
    await ask(a, f.parse('s' + i, `SELECT nocol${i}, '${big}'`), f.sync());
  (globalThis as any).gc?.();
  log(
    'heap MB',
    (process.memoryUsage().heapUsed - m0) / 1e6,
    'rss',
    process.memoryUsage().rss / 1e6,
    Date.now() - t0,
    'ms',
  );
  a.close();
  await sleep(300);
  (globalThis as any).gc?.();
  log('after close MB', (process.memoryUsage().heapUsed - m0) / 1e6);
  // is caching dead? count statements on the engine
  for (let k = 0; k < 5; k++) await ask(b, f.parse('k' + k, `SELECT ${k}::int`), f.sync());
  const d: any = p.direct;
  const { pg } = await import('./lib.ts');
  const c = new pg.Client({ ...p.direct('writer') });
  await c.connect();
  log(
    'pids',
    (
      await c.query(
        "select pid, state, query from pg_stat_activity where backend_type='client backend'",
      )
    ).rows.length,
  );
  await c.end();
  let t1 = Date.now();
  for (let i = 0; i < 500; i++) await ask(b, f.bind('', 'k' + (i % 5)), f.execute(''), f.sync());
  log('500 binds', Date.now() - t1, 'ms');
  b.close();
});
await run('skip: EXECUTE behind an error ran?', p, async () => {
  const a = await L();
  for (let i = 0; i < 20; i++) {
    log(await ask(a, f.parse('p', "INSERT INTO tt VALUES ('ran') RETURNING x"), f.sync()));
    a.send(f.parse('', 'SELECT nothing'), f.query('EXECUTE p'), f.sync());
    await sleep(30);
    log(await timed(a.untilReady().then(show)), await timed(a.untilReady().then(show), 200));
    log(await timed(q(a, 'DEALLOCATE p')));
    if (i > 1) break;
  }
  log(await q(a, 'SELECT count(*) FROM tt'));
  a.close();
});
await run('Query EXECUTE inside a batch: batch committed by hidden Sync', p, async () => {
  const a = await L();
  log(await ask(a, f.parse('z', "SELECT 1/(1-length('x'))"), f.sync()));
  a.send(
    f.parse('', "INSERT INTO tt VALUES ('in batch')"),
    f.bind('', ''),
    f.execute(''),
    f.query('EXECUTE z'),
    f.sync(),
  );
  log(await timed(a.untilReady().then(show)), await timed(a.untilReady().then(show), 500));
  log(await q(a, "SELECT count(*) FROM tt WHERE x = 'in batch'"));
  a.close();
});
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
