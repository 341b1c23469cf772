import { boot, log, timed, sleep } from './lib.ts';
import { spawn } from 'node:child_process';
const p = await boot({ writers: 1, queueSeconds: 10 });
const { RawClient, q } = await import('./lib.ts');
const ad = await RawClient.login(p.port);
const kk = (await q(ad, "SELECT create_api_key('drv','admin')"))[1].slice(2);
ad.close();
await new Promise((r) => {
  const c = spawn('v/bin/python', ['drivers.py', String(p.port), kk], {
    stdio: 'inherit',
    timeout: 70000,
  });
  c.on('exit', r);
});
const postgres: any = (await import('../../node_modules/postgres/src/index.js')).default;
const mk = () =>
  postgres({
    host: '127.0.0.1',
    port: p.port,
    user: 'agent',
    password: '',
    database: 'hatidata',
    max: 1,
    onnotice: () => 0,
  });
const a = mk(),
  b = mk();
let bad: any[] = [];
try {
  for (let i = 0; i < 200; i++) {
    const rs: any = await timed(
      Promise.all(
        [a, b].flatMap((s, k) =>
          [1, 2, 3, 4, 5].map((n) => s`select ${n * 10 + k}::int as v, ${i}::int as i`),
        ),
      ),
    );
    if (rs === 'HANG' || typeof rs === 'string') {
      bad.push(rs);
      break;
    }
    rs.forEach((r: any, j: number) => {
      const want = ((j % 5) + 1) * 10 + (j < 5 ? 0 : 1);
      if (r[0].v !== want || r[0].i !== i) bad.push([r[0], want]);
    });
  }
  const res = await Promise.allSettled([
    a`select 1/0`,
    a`select 1`,
    a.begin(async (s: any) => {
      await s`select 2`;
      throw new Error('x');
    }),
    a`select 3`,
  ]);
  log(
    'postgres.js',
    bad.slice(0, 3),
    res.map((x: any) => x.status + (x.reason?.code ?? '')).join(' '),
  );
} catch (e: any) {
  log('postgres.js', e.message);
}
await timed(Promise.all([a.end({ timeout: 1 }), b.end({ timeout: 1 })]));
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    8000,
  ),
);
process.exit(0);
