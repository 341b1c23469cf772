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
const X = (t: string) => [f.parse('', t), f.bind('', ''), f.execute('')];
for (const t of ["SET my.a = '1'", 'SELECT 1', "SET LOCAL my.a='1'"]) {
  const c = await RawClient.login(p.port);
  c.send(...X(t), f.query('INSERT INTO ft VALUES (1)'), f.sync());
  log(t, await all(c), await timed(q(c, 'SELECT count(*) FROM ft')));
  c.close();
}
await run('readonly key crash check is reasoned', p, async () => {});
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
