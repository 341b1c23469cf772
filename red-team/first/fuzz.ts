import { boot, f, RawClient, show, ask, q, log, sleep, timed, pg } from './lib.ts';
const seed0 = Number(process.argv[2] ?? 1),
  seconds = Number(process.argv[3] ?? 60),
  quiet = new Set((process.argv[4] ?? '').split(','));
const p = await boot(
  { writers: 3 },
  { limits: { connections: 1000, statementBytes: 1e7, messageBytes: 1e7, startupSeconds: 10 } },
);
function rng(seed: number) {
  let s = seed >>> 0;
  return () => {
    s = (s + 0x6d2b79f5) >>> 0;
    let t = s;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
const ad = await RawClient.login(p.port);
await q(ad, 'CREATE TABLE ft (i int)');
ad.close();
async function direct() {
  const c: any = new pg.Client({ ...p.direct('writer') });
  await c.connect();
  const s = c.connection.stream;
  s.removeAllListeners('data');
  s.removeAllListeners('end');
  s.removeAllListeners('close');
  s.removeAllListeners('error');
  const r: any = Object.create((RawClient as any).prototype);
  r.socket = s;
  r.data = Buffer.alloc(0);
  r.ended = false;
  r.wake = () => 0;
  s.on('data', (d: Buffer) => {
    r.data = Buffer.concat([r.data, d]);
    r.wake();
  });
  s.on('error', () => 0);
  s.on('close', () => {
    r.ended = true;
    r.wake();
  });
  s.resume();
  await q(r, 'SET search_path = main');
  return r;
}
let texts = [
  'SELECT 1',
  'SELECT $1::int',
  'SELECT 1/0',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  "SET my.a = '1'",
  "SELECT current_setting('my.a', true)",
  "SET LOCAL my.a = '2'",
  "SET DateStyle = 'ISO, DMY'",
  "SELECT '02/01/2020'::date::text",
  'RESET ALL',
  'RESET my.a',
  'DEALLOCATE n1',
  'EXECUTE n1',
  'DEALLOCATE ALL',
  'DISCARD ALL',
  '',
  'SELECT generate_series(1,3)',
  'DECLARE c CURSOR FOR SELECT generate_series(1,3)',
  'FETCH 1 FROM c',
  'CLOSE c',
  'COPY (SELECT 1) TO STDOUT',
  'INSERT INTO ft VALUES (1)',
  'SELECT 1; SELECT 2',
  'SELECT 1; SELECT 1/0',
  'BEGIN; SELECT 1',
  'ROLLBACK AND CHAIN',
  'COPY ft FROM STDIN',
  'PREPARE n2 AS SELECT 22',
  'SELECT nothing',
];
texts = texts.filter((t) => ![...quiet].some((x) => x && t.includes(x)));
function make(seed: number) {
  const r = rng(seed),
    pick = <T>(a: T[]) => a[Math.floor(r() * a.length)]!;
  const batches: [string, Buffer][][] = [];
  const names = ['', 'n1', 'n2'],
    portals = ['', 'p1'];
  for (let b = 0; b < 4; b++) {
    const m: [string, Buffer][] = [];
    const n = 1 + Math.floor(r() * 7);
    for (let i = 0; i < n; i++) {
      const x = r();
      if (x < 0.22) {
        const t = pick(texts),
          nm = pick(names);
        m.push([`parse(${nm}:${t})`, f.parse(nm, t)]);
      } else if (x < 0.42) {
        const nm = pick(names),
          po = pick(portals);
        m.push([`bind(${po}<${nm})`, f.bind(po, nm, r() < 0.2 ? ['5'] : [])]);
      } else if (x < 0.6) {
        const po = pick(portals),
          k = r() < 0.25 ? 1 : 0;
        m.push([`exec(${po},${k})`, f.execute(po, k)]);
      } else if (x < 0.66) {
        const nm = pick(names);
        m.push([`descS(${nm})`, f.describe('S', nm)]);
      } else if (x < 0.69) {
        const nm = pick(portals);
        m.push([`descP(${nm})`, f.describe('P', nm)]);
      } else if (x < 0.75) {
        const nm = pick(names);
        m.push([`closeS(${nm})`, f.close('S', nm)]);
      } else if (x < 0.77) {
        const nm = pick(portals);
        m.push([`closeP(${nm})`, f.close('P', nm)]);
      } else if (x < 0.8) m.push(['flush', f.flush()]);
      else if (x < 0.86) m.push(['sync', f.sync()]);
      else {
        const t = pick(texts);
        m.push([`Q(${t})`, f.query(t)]);
        if (t.startsWith('COPY ft')) {
          m.push(['cd', f.copyData('7\n')]);
          m.push(['done', f.copyDone()]);
        }
      }
    }
    if (r() < 0.85) m.push(['sync', f.sync()]);
    batches.push(m);
  }
  batches.push([
    ['sync', f.sync()],
    ['Q(end)', f.query("SELECT 'end'")],
  ]);
  return batches;
}
async function drain(r: any, ms: number) {
  const out: any[] = [];
  for (;;) {
    const n: any = await Promise.race([r.next(), sleep(ms).then(() => 'T')]);
    if (n === 'T') {
      r.wake = () => 0;
      break;
    }
    if (n === undefined) {
      out.push('END');
      break;
    }
    out.push(n);
  }
  const txt = show(out.filter((x) => x !== 'END'))
    .filter((x) => x !== 'N' && x !== 'S')
    .map((x) => (x.startsWith('E ') ? x.slice(0, 7) : x));
  if (out.includes('END')) txt.push('END');
  return txt.join(' ; ');
}
const until = Date.now() + seconds * 1000;
let next = seed0,
  cases = 0;
const sigs = new Map<string, number>();
const noise = await Promise.all(
  [1, 2].map((i) => RawClient.login(p.port, '', { application_name: 'noise' + i })),
);
let stop = false;
noise.forEach((n, i) => {
  (async () => {
    let k = 0;
    while (!stop) {
      k++;
      n.send(
        k % 2
          ? f.query("SELECT 'noise'")
          : Buffer.concat([f.parse('', 'SELECT 1'), f.bind('', ''), f.execute(''), f.sync()]),
      );
      await timed(n.untilReady(), 20000);
      await sleep(3);
    }
  })();
});
await Promise.all(
  [1, 2].map(async () => {
    const d0 = { d: await direct() };
    while (Date.now() < until) {
      const seed = next++;
      const bs = make(seed);
      const a = await RawClient.login(p.port);
      cases++;
      let prev = '';
      for (const [i, b] of bs.entries()) {
        const bytes = Buffer.concat(b.map(([, x]) => x));
        d0.d.send(bytes);
        a.send(bytes);
        let [x, y] = await Promise.all([drain(d0.d, 60), drain(a, 100)]);
        if (x !== y) {
          const more = await drain(a, 800);
          if (more) y = y ? y + ' ; ' + more : more;
        }
        if (x !== y) {
          const sig =
            x.replace(/\d+/g, '#').slice(0, 60) + '|' + y.replace(/\d+/g, '#').slice(0, 60);
          const c = sigs.get(sig) ?? 0;
          sigs.set(sig, c + 1);
          if (c < 1)
            log(
              `--- seed ${seed} batch ${i}\n  before: ${prev}\n  sent: ${b.map(([n]) => n).join(' ')}\n  PG:    ${x}\n  proxy: ${y}`,
            );
          break;
        }
        prev += b.map(([n]) => n).join(' ') + '  ||  ';
      }
      a.close();
      if (d0.d.ended) d0.d = await direct();
      else {
        d0.d.send(f.copyDone(), f.sync());
        await drain(d0.d, 40);
        const r1 = await q(d0.d, 'ROLLBACK');
        const r2 = await q(d0.d, 'DISCARD ALL');
        if ((r1 as any) === 'HANG' || (r2 as any) === 'HANG') {
          d0.d.close();
          d0.d = await direct();
        } else await q(d0.d, 'SET search_path = main');
      }
    }
  }),
);
stop = true;
await sleep(200);
log({ cases, mismatches: [...sigs.values()].reduce((a, b) => a + b, 0), kinds: sigs.size });
const three = await Promise.all([1, 2, 3].map(() => RawClient.login(p.port)));
await sleep(500);
log('all three links free?', await Promise.all(three.map((c) => timed(q(c, 'BEGIN'), 5000))));
three.forEach((c) => c.close());
noise.forEach((c) => c.close());
await sleep(300);
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
