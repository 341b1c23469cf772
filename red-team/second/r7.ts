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
const term = Buffer.from([0x58, 0, 0, 0, 4]);
await run('A: long then Terminate, client socket stays open, nobody waits', p, async () => {
  const a = await L();
  a.send(f.query("INSERT INTO tt SELECT 'long' FROM pg_sleep(7)"), term);
  const t = Date.now();
  (async () => {
    log('A got', await timed(a.untilReady().then(show), 12000), Date.now() - t, 'ms');
  })();
  for (let i = 0; i < 9; i++) {
    await sleep(1000);
    const r = (
      await d.query(
        "SELECT state, query FROM pg_stat_activity WHERE query LIKE 'INSERT INTO tt SELECT%' AND pid <> pg_backend_pid()",
      )
    ).rows;
    log(i + 1, r.length);
  }
  log('ran?', (await d.query("SELECT count(*) FROM tt WHERE x='long'")).rows[0]);
});
await run('A: same, client half closes and leaves', p, async () => {
  const a: any = await L();
  a.send(f.query("INSERT INTO tt SELECT 'long2' FROM pg_sleep(7)"), term);
  a.socket.end();
  await sleep(8500);
  log('ran?', (await d.query("SELECT count(*) FROM tt WHERE x='long2'")).rows[0]);
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
