import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
const p = await boot({ writers: 3 });
const all = async (r: any, ms = 400) => {
  const out: any[] = [];
  for (;;) {
    const n: any = await Promise.race([r.next(), sleep(ms).then(() => 'T')]);
    if (n === 'T') {
      r.wake = () => 0;
      return show(out);
    }
    if (n === undefined) return [...show(out), 'END'];
    out.push(n);
  }
};
const a = await RawClient.login(p.port);
await q(a, 'CREATE TABLE ft (i int)');
const other = await RawClient.login(p.port);
log('other', await q(other, 'SELECT 1'));
for (let k = 0; k < 4; k++) {
  const c: any = await RawClient.login(p.port).catch(() => undefined);
  if (!c) {
    log('no login');
    await sleep(1500);
    continue;
  }
  c.send(f.parse('', 'BEGIN'), f.bind('', ''), f.execute(''), f.flush());
  const r1 = await all(c, 100);
  c.send(f.query('ROLLBACK TO s'));
  const r2 = await all(c, 100);
  c.send(f.query('SELECT count(*)>=0 FROM ft'), f.execute(''));
  const r3 = await all(c, 300);
  log(k, r1.join(), r2.join(), r3.join());
  log('other', await timed(q(other, 'SELECT 1')));
}
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
