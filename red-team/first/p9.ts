import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
process.on('unhandledRejection', (e: any) => log('UNHANDLED', e?.message));
process.on('warning', (w) => {
  if (/MaxListeners/.test(w.name + w.message)) log('WARNING', w.message);
});
const p = await boot(
  { writers: 2, readers: 1, queueSeconds: 5 },
  { limits: { connections: 2000, statementBytes: 1e7, messageBytes: 1e7, startupSeconds: 10 } },
);
const L = (key = '', o = {}) => RawClient.login(p.port, key, o);
const admin = await L();
await q(admin, 'CREATE TABLE t (name text)');
await q(admin, 'DISCARD ALL');
let s = Number(process.argv[2] ?? 7);
const r = () => {
  s = (s + 0x6d2b79f5) >>> 0;
  let t = s;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const pick = <T>(a: T[]) => a[Math.floor(r() * a.length)]!;
const texts = [
  'SELECT 1',
  'SELECT 1/0',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  "SET my.a = '1'",
  "SET hatidata_request_id = 'r'",
  'SHOW hatidata_request_id',
  'SELECT * FROM _hatidata_keys.active_keys',
  'CREATE ROLE evil',
  "SELECT create_api_key('x','nonsense')",
  "SELECT pg_read_file('/etc/passwd')",
  'DISCARD ALL',
  'CREATE TEMP TABLE IF NOT EXISTS tt (i int)',
  'RESET ALL',
  'SELECT x FROM',
  '',
  'EXECUTE n1',
  'DEALLOCATE n1',
  'SELECT ' + '1+'.repeat(3000) + '1',
];
await run('hangs with own and refused statements', p, async () => {
  const until = Date.now() + 25000;
  let cases = 0,
    bad = 0;
  await Promise.all(
    [1, 2, 3].map(async () => {
      while (Date.now() < until && bad < 6) {
        const a = await L();
        cases++;
        const hist: string[] = [];
        let dead = false;
        for (let b = 0; b < 4; b++) {
          const m: [string, Buffer][] = [];
          for (let i = 0, n = 1 + Math.floor(r() * 6); i < n; i++) {
            const x = r(),
              nm = pick(['', 'n1']),
              po = pick(['', 'p1']);
            m.push(
              x < 0.3
                ? ((t) => [`parse(${nm}:${t.slice(0, 30)})`, f.parse(nm, t)] as any)(pick(texts))
                : x < 0.45
                  ? [`bind(${po}<${nm})`, f.bind(po, nm)]
                  : x < 0.6
                    ? [`exec(${po})`, f.execute(po, r() < 0.3 ? 1 : 0)]
                    : x < 0.65
                      ? [`descS(${nm})`, f.describe('S', nm)]
                      : x < 0.7
                        ? [`closeS(${nm})`, f.close('S', nm)]
                        : x < 0.75
                          ? ['flush', f.flush()]
                          : x < 0.8
                            ? ['sync', f.sync()]
                            : ((t) => [`Q(${t.slice(0, 30)})`, f.query(t)] as any)(pick(texts)),
            );
          }
          hist.push(m.map(([n]) => n).join(' '));
          for (const [, x] of m) {
            a.send(x);
            if (r() < 0.3) await sleep(r() * 4);
          }
        }
        a.send(f.sync());
        await sleep(5);
        a.send(f.query('ROLLBACK'));
        await sleep(5);
        a.send(f.query("SELECT 'the end'"));
        let got = '';
        const ok = await timed(
          (async () => {
            for (;;) {
              const m: any = await a.next();
              if (!m) return 'ENDED ' + got.slice(-150);
              const t = show([m])[0];
              got += t + ';';
              if (t === 'D the end') return 'ok';
            }
          })(),
          6500,
        );
        if (ok !== 'ok') {
          bad++;
          log(ok, hist.join(' || '), '=>', got.slice(-200));
        }
        a.close();
      }
    }),
  );
  log({ cases, bad });
});
await run('leaving in every state', p, async () => {
  const acts: ((c: any) => void)[] = [
    (c) => c.send(f.query('SELECT pg_sleep(0.2)')),
    (c) => c.send(f.query('BEGIN')),
    (c) => c.send(f.parse('', 'SELECT 1'), f.bind('', '')),
    (c) => c.send(f.query('COPY t FROM STDIN'), f.copyData('y\n')),
    (c) => c.send(f.query("SET my.z = '1'")),
    (c) => c.send(f.query('CREATE TEMP TABLE zz (i int)')),
    (c) => c.send(f.query('LISTEN z')),
    (c) => c.send(f.query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")),
    (c) => c.send(f.parse('n', 'SELECT 1/0'), f.bind('', 'n'), f.execute('')),
    (c) => c.send(f.query('SELECT pg_advisory_lock(5)')),
    (c) => c.send(f.query('DISCARD ALL'), f.query('SELECT 1')),
    (c) => c.send(f.query('SELECT * FROM _hatidata_keys.active_keys')),
  ];
  for (let i = 0; i < 150; i++) {
    const c = await timed(L('', { application_name: 'x' + (i % 5) }));
    if (!c?.send) {
      log('login', c);
      continue;
    }
    const act = pick(acts);
    act(c);
    setTimeout(() => {
      const k = Math.floor(i % 3);
      if (k === 0) c.close();
      else if (k === 1) {
        c.send(f.terminate());
        c.socket.end();
      } else c.socket.end();
    }, r() * 12);
    await sleep(3);
  }
  await sleep(3000);
  const a = await L(),
    b = await L(),
    c = await L();
  log(
    'two links?',
    await timed(q(a, 'BEGIN'), 8000),
    await timed(q(b, 'BEGIN'), 8000),
    'third waits:',
    await timed(q(c, 'SELECT 1'), 1000),
  );
  await q(a, 'COMMIT');
  await q(b, 'COMMIT');
  [a, b, c].forEach((x) => x.close());
  await sleep(200);
});
await run('gone while waiting: still runs?', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, 'BEGIN');
  await q(b, 'BEGIN');
  const g = await L();
  g.send(f.query("INSERT INTO t VALUES ('ghost')"));
  await sleep(100);
  g.socket.end();
  await sleep(50);
  g.close();
  await sleep(500);
  await q(a, 'COMMIT');
  await sleep(500);
  log('ghost rows', await q(b, "SELECT count(*) FROM t WHERE name='ghost'"));
  await q(b, 'COMMIT');
  a.close();
  b.close();
});
log(
  p
    .logged()
    .split('\n')
    .filter((l) => /"level":(50|60)/.test(l))
    .slice(0, 5)
    .join('\n'),
);
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    10000,
  ),
);
const p2 = await boot({ writers: 3, queueSeconds: 8 });
await run('engine role at its connection limit', p2, async () => {
  const d2 = JSON.parse(readFileSync(join(p2.directory, 'secrets.json'), 'utf8'));
  const pf = readFileSync(join(p2.running.dataDirectory!, 'postmaster.pid'), 'utf8').split('\n');
  const s2: any = new pg.Client({
    host: pf[4],
    port: Number(pf[3]),
    user: 'hatidata_superuser',
    password: d2.superuser,
    database: 'hatidata',
  });
  await s2.connect();
  const c: any[] = [];
  for (let i = 0; i < 4; i++) c.push(await RawClient.login(p2.port));
  await s2.query('ALTER ROLE hatidata_writer CONNECTION LIMIT 2');
  log(await q(c[0], 'BEGIN'), await q(c[1], 'BEGIN'));
  const t = Date.now();
  log('third, which could wait', await q(c[2], 'SELECT 1'), Date.now() - t, 'ms');
  await s2.end();
  c.forEach((x) => x.close());
});
await timed(p2.stop(), 8000);
process.exit(0);
