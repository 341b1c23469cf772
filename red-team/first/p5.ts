import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
const p = await boot({ writers: 2, readers: 1 });
const L = (key = '', o = {}) => RawClient.login(p.port, key, o);
const admin = await L();
await q(
  admin,
  "CREATE TABLE open_t (id int); CREATE TABLE secret_t (word text); INSERT INTO secret_t VALUES ('the secret'); INSERT INTO open_t VALUES (1)",
);
const key = async (agent: string, scope: string, limits?: string) =>
  (
    await q(
      admin,
      limits
        ? `SELECT create_api_key('${agent}', '${scope}', 'd', '${limits}')`
        : `SELECT create_api_key('${agent}', '${scope}')`,
    )
  )[1].slice(2);
await run('limited key past its limits', p, async () => {
  const wide = await key('ag', 'readonly', '{"tables":["main.open_t","main.secret_t"]}');
  log(await q(admin, `SELECT create_api_key('ag', 'readonly', 'd', '{"tables":["main.open_t"]}')`));
  const narrow = await key('ag', 'readonly', '{"tables":["main.open_t"]}');
  log(wide.slice(0, 8), narrow.slice(0, 8));
  const a = await L(wide),
    b = await L(narrow);
  log(
    'wide',
    await ask(
      a,
      f.parse('rep', 'SELECT word FROM secret_t'),
      f.bind('', 'rep'),
      f.execute(''),
      f.sync(),
    ),
  );
  log('narrow direct', await q(b, 'SELECT word FROM secret_t'));
  log('narrow parse', await ask(b, f.parse('rep', 'SELECT word FROM secret_t'), f.sync()));
  const err = await ask(b, f.parse('x', 'SELECT $1::int'), f.bind('', 'x'), f.sync());
  log('name leaks in', err);
  const prefix = /hd_[0-9a-f]+_/.exec(err.join())?.[0];
  const n = Number(/hd_[0-9a-f]+_(\d+)/.exec(err.join())?.[1]);
  log(
    'narrow pg_prepared_statements',
    (await q(b, 'SELECT name, statement FROM pg_prepared_statements')).slice(0, 6),
  );
  for (let i = n; i > n - 6 && i > 0; i--) log(i, await q(b, `EXECUTE ${prefix}${i}`));
  log('wide EXECUTE rep', await q(a, 'EXECUTE rep'));
  log('narrow EXECUTE rep', await q(b, 'EXECUTE rep'));
  a.close();
  b.close();
});
await run('own portals grow', p, async () => {
  const a = await L();
  log(await ask(a, f.parse('o', 'SELECT * FROM _hatidata_keys.active_keys'), f.sync()));
  (globalThis as any).gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let r = 0; r < 20; r++) {
    const m = [];
    for (let i = 0; i < 100; i++)
      m.push(
        f.bind(`p${r}_${i}_${'n'.repeat(20000)}`, 'o'),
        f.execute(`p${r}_${i}_${'n'.repeat(20000)}`),
      );
    await ask(a, ...m, f.sync());
  }
  (globalThis as any).gc?.();
  log(
    'heap grew MB',
    (process.memoryUsage().heapUsed - before) / 1e6,
    process.memoryUsage().rss / 1e6,
  );
  log(
    'same portal in next batch (PG: ok)',
    await ask(a, f.bind('P1', 'o'), f.sync()),
    await ask(a, f.bind('P1', 'o'), f.sync()),
  );
  a.close();
});
await run('settings: memory and event loop', p, async () => {
  const k = await key('greedy', 'readonly');
  const a = await L(k);
  for (let i = 0; i < 60; i++) {
    const r = await q(a, `SET my.x${i} = '${'y'.repeat(900_000)}'`);
    if (r[0] !== 'C SET') {
      log(r);
      break;
    }
  }
  const other: any = await L();
  let worst = 0;
  let stop = false;
  (async () => {
    while (!stop) {
      const t = performance.now();
      await sleep(5);
      worst = Math.max(worst, performance.now() - t);
    }
  })();
  const r0 = process.memoryUsage().rss / 1e6;
  for (let i = 0; i < 10; i++) {
    await ask(a, f.parse(`s${i}`, `SELECT 1`), f.sync());
  }
  log('worst loop delay ms', worst, 'rss', r0, process.memoryUsage().rss / 1e6);
  worst = 0;
  const b = await L(k);
  const t = Date.now();
  await q(b, 'SELECT 1');
  await q(a, 'SELECT 1');
  log('swap ms', Date.now() - t, 'worst', worst);
  stop = true;
  a.close();
  b.close();
});
await run('partition thrash: 3 agents on 2 links', p, async () => {
  const all = [];
  for (const n of ['x1', 'x2', 'x3', 'x4']) all.push(await L(await key(n, 'admin')));
  const pids = new Set();
  let t = Date.now();
  let n = 0;
  await Promise.all(
    all.map(async (c) => {
      for (let i = 0; i < 50; i++) {
        const r = await q(c, 'SELECT pg_backend_pid()');
        pids.add(r.find((x) => x.startsWith('D')));
        n++;
      }
    }),
  );
  log('4 agents:', n, 'statements', pids.size, 'engine connections opened', Date.now() - t, 'ms');
  const same = [];
  for (let i = 0; i < 4; i++) same.push(await L());
  pids.clear();
  t = Date.now();
  await Promise.all(
    same.map(async (c) => {
      for (let i = 0; i < 50; i++) {
        const r = await q(c, 'SELECT pg_backend_pid()');
        pids.add(r.find((x) => x.startsWith('D')));
      }
    }),
  );
  log('one agent:', pids.size, Date.now() - t, 'ms');
  [...all, ...same].forEach((c) => c.close());
});
await run('pins that never end', p, async () => {
  const a = await L(),
    b = await L(),
    c = await L();
  await q(a, 'SELECT pg_try_advisory_lock(1)');
  await q(a, 'SELECT pg_advisory_unlock(1)');
  await q(a, 'SELECT pg_advisory_unlock_all()');
  log(await q(b, 'BEGIN; CREATE TEMP TABLE z (i int); ROLLBACK'));
  log('C', await timed(q(c, 'SELECT 1'), 3000));
  a.close();
  b.close();
  c.close();
  await sleep(200);
});
await p.stop();
