import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
const term = Buffer.from([0x58, 0, 0, 0, 4]);
const p = await boot({ writers: 2, queueSeconds: 6 });
const L = (o: any = {}) => RawClient.login(p.port, '', o);
const s2: any = new pg.Client({ ...p.direct('superuser' as any) });
try {
  await s2.connect();
} catch (e: any) {
  log('no superuser', e.message);
}
await run('engine_full: partitions swap at the limit', p, async () => {
  const a = await L();
  await q(a, 'SELECT 1');
  log(
    await s2
      .query('ALTER ROLE hatidata_writer CONNECTION LIMIT 2')
      .then(() => 'limit 2')
      .catch((e: any) => e.message),
  );
  await q(a, 'BEGIN');
  const ps = await Promise.all([1, 2, 3, 4].map((i) => L({ options: `-c my.p=${i}` })));
  let bad = 0;
  const t = Date.now();
  for (let i = 0; i < 40; i++) {
    const r = await timed(q(ps[i % 4], 'SELECT 1'), 8000);
    if (r === 'HANG' || r.some((x: string) => x.startsWith('E'))) {
      bad++;
      log(i, r);
      if (bad > 4) break;
    }
  }
  log({ bad }, Date.now() - t, 'ms');
  // make the idle backend slow to leave: temp tables
  const big = await L({ options: '-c my.p=9' });
  log(await timed(q(big, 'CREATE TEMP TABLE zz0(i int)')));
  ps.forEach((c) => c.close());
  big.close();
  await q(a, 'COMMIT');
  a.close();
});
await run('own statement batch portals without link', p, async () => {
  const a = await L();
  log(
    await ask(
      a,
      f.parse('o', 'SHOW hatidata.request_id'),
      f.bind('P1', 'o'),
      f.execute('P1'),
      f.sync(),
    ),
    await ask(a, f.bind('P1', 'o'), f.execute('P1'), f.sync()),
    await ask(a, f.execute('P1'), f.sync()),
  );
  a.close();
});
await run('closing an idle link slow: place', p, async () => {
  log(p ? 'n/a' : '');
});
await s2.query('ALTER ROLE hatidata_writer CONNECTION LIMIT -1').catch(() => 0);
await run('drain while sessions are in every state', p, async () => {
  const a = await L(),
    b = await L(),
    c = await L(),
    d = await L();
  await q(a, 'BEGIN');
  await q(b, 'LISTEN x');
  c.send(f.query('SELECT 7')); // waits
  d.send(f.query("SET hatidata.request_id='1'"));
  await sleep(300);
  const t = Date.now();
  const stop = p.stop().then(() => 'stopped ' + (Date.now() - t));
  log('b', await timed(b.untilReady().then(show), 3000));
  log('c', await timed(c.untilReady().then(show), 3000));
  log('d', await timed(d.untilReady().then(show), 3000));
  log('a commit', await timed(q(a, 'COMMIT'), 3000));
  log(await timed(stop, 15000));
});
await s2.end();
process.exit(0);
