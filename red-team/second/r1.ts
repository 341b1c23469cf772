import { boot, f, RawClient, show, ask, q, log, run, sleep, timed } from './lib.ts';
const p = await boot();
const L = (o: any = {}) => RawClient.login(p.port, '', o);
{
  const a = await L();
  log(await q(a, 'CREATE TABLE t (i int); CREATE TABLE tt (x text)'));
  a.close();
}
await run('1 simple COPY bad data + Sync + Query: F26 again', p, async () => {
  const a = await L(),
    b = await L();
  a.send(
    f.query('COPY t FROM STDIN'),
    f.copyData('bad\n'),
    f.sync(),
    f.query("SELECT 'secret of A', pg_sleep(1)"),
  );
  await sleep(300);
  b.send(f.query("SELECT 'B1'"));
  const b1 = await timed(b.untilReady().then(show));
  const b2 = await timed(q(b, "SELECT 'B2'"));
  log('B1', b1, 'B2', b2);
  log(
    'A',
    show(await timed(a.untilReady())),
    await timed(a.untilReady().then(show), 500),
    await timed(a.untilReady().then(show), 500),
  );
  a.close();
  b.close();
});
await run('2 same, after G', p, async () => {
  const a = await L(),
    b = await L();
  a.send(f.query('COPY t FROM STDIN'));
  log(show(await a.until('G')));
  a.send(f.copyData('bad\n'), f.sync(), f.query("SELECT 'secret of A', pg_sleep(1)"));
  await sleep(300);
  b.send(f.query("SELECT 'B1'"));
  const b1 = await timed(b.untilReady().then(show));
  log('B1', b1, 'B2', await timed(q(b, "SELECT 'B2'")));
  a.close();
  b.close();
});
await run('3 extended COPY bad data + Sync + batch', p, async () => {
  const a = await L(),
    b = await L();
  a.send(
    f.parse('', 'COPY t FROM STDIN'),
    f.bind('', ''),
    f.execute(''),
    f.copyData('bad\n'),
    f.sync(),
    f.parse('', "SELECT 'secret of A', pg_sleep(1)"),
    f.bind('', ''),
    f.execute(''),
    f.sync(),
  );
  await sleep(300);
  b.send(f.query("SELECT 'B1'"));
  const b1 = await timed(b.untilReady().then(show));
  log('B1', b1, 'B2', await timed(q(b, "SELECT 'B2'")));
  a.close();
  b.close();
});
await run('4 extended G, bad data, Sync, then Query: hang', p, async () => {
  const a = await L();
  a.send(f.parse('', 'COPY t FROM STDIN'), f.bind('', ''), f.execute(''), f.flush());
  log(show(await a.until('G')));
  a.send(f.copyData('bad\n'), f.sync());
  log(await timed(a.untilReady().then(show)));
  log(await q(a, 'SELECT 1'));
  a.close();
});
await run('5 RESET ALL; COPY FROM STDIN: barrier deadlock', p, async () => {
  const a = await L(),
    b = await L();
  a.send(f.query('RESET ALL; COPY t FROM STDIN'));
  log(show(await a.until('G')));
  a.send(f.copyData('1\n'), f.copyDone());
  log('A', await timed(a.untilReady().then(show)));
  a.close();
  await sleep(1500);
  log('B after A left', await timed(q(b, 'SELECT 1'), 12000));
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
