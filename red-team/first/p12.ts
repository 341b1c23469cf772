import { boot, f, RawClient, q, ask, log, sleep, timed } from './lib.ts';
const which = process.argv[2];
const p = await boot({ writers: 2, readers: 1 });
const L = (k = '', o = {}) => RawClient.login(p.port, k, o);
if (which === 'thrash') {
  const ad = await L();
  const all = [];
  for (const n of ['x1', 'x2', 'x3', 'x4'])
    all.push(await L((await q(ad, `SELECT create_api_key('${n}', 'admin')`))[1].slice(2)));
  await Promise.all(
    all.map(async (c) => {
      for (let i = 0; i < 50; i++) await q(c, 'SELECT 1');
    }),
  );
  all.forEach((c) => c.close());
  ad.close();
  await sleep(300);
}
if (which === 'pins') {
  const a = await L(),
    b = await L(),
    c = await L();
  await q(a, 'SELECT pg_try_advisory_lock(1)');
  await q(b, 'CREATE TEMP TABLE z (i int)');
  c.send(f.query('SELECT 1'));
  await sleep(500);
  a.close();
  b.close();
  c.close();
  await sleep(200);
}
if (which === 'open') {
  await L();
  await L();
}
if (which === 'open-killed') {
  const a = await L();
  await q(a, 'CREATE TEMP TABLE z (i int)');
}
if (which === 'big') {
  const a = await L();
  for (let i = 0; i < 30; i++) await q(a, `SET my.x${i} = '${'y'.repeat(900000)}'`);
  const b = await L();
  await q(b, 'SELECT 1');
  await q(a, 'SELECT 1');
  a.close();
  b.close();
  await sleep(100);
}
const t = Date.now();
log(
  which,
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    12000,
  ),
  Date.now() - t,
);
log(p.logged().split('\n').slice(-3).join('\n').slice(-400));
process.exit(0);
