import { boot, f, RawClient, show, ask, q, log, sleep, timed, pg } from './lib.ts';
import { EnginePool } from '../../src/engine/pool/pool.ts';
const seed0 = Number(process.argv[2] ?? 1),
  seconds = Number(process.argv[3] ?? 60),
  quiet = (process.argv[4] ?? '').split(',').filter(Boolean),
  minimise = process.argv[5] !== 'nomin';
let rnd = 1;
(EnginePool.prototype as any).takeIdle = function ({ partition }: any) {
  const ok = this.idle.filter(
    (l: any) => l.partition === partition.key && l.isUsable && this.isSafe(l),
  );
  if (ok.length === 0) return undefined;
  rnd = (rnd * 1103515245 + 12345) & 0x7fffffff;
  const l = ok[(rnd >> 8) % ok.length];
  this.idle.splice(this.idle.indexOf(l), 1);
  return l;
};
const p = await boot(
  { writers: 3 },
  { limits: { connections: 1000, statementBytes: 1e7, messageBytes: 1e7, startupSeconds: 10 } },
);
{
  const ad = await RawClient.login(p.port);
  await q(ad, 'CREATE TABLE ft (i int)');
  ad.close();
}
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
async function direct() {
  const c: any = new pg.Client({ ...p.direct('writer'), options: '-c search_path=main,public' });
  await c.connect();
  const s = c.connection.stream;
  for (const e of ['data', 'end', 'close', 'error']) s.removeAllListeners(e);
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
  return r;
}
const texts = [
  'SELECT 1',
  'SELECT $1::int',
  'SELECT 1/0',
  'BEGIN',
  'COMMIT',
  'ROLLBACK',
  'SAVEPOINT s',
  'ROLLBACK TO s',
  "SET my.a = '1'",
  "SELECT coalesce(current_setting('my.a', true),'')",
  "SET LOCAL my.a = '2'",
  "SET DateStyle = 'ISO, DMY'",
  "SELECT '02/01/2020'::date::text",
  "SELECT extract(month from '02/01/2020'::date)",
  'RESET ALL',
  'RESET my.a',
  'DEALLOCATE n1',
  'EXECUTE n1',
  'EXECUTE n2',
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
  'COPY ft FROM STDIN',
  'COPY ft FROM STDIN',
  'PREPARE n2 AS SELECT 22',
  'SELECT nothing',
  'CREATE TEMP TABLE IF NOT EXISTS tmp(i int)',
  'SELECT count(*) FROM tmp',
  'LISTEN ch',
  'SELECT count(*) FROM pg_listening_channels()',
  'UNLISTEN *',
  'SELECT pg_try_advisory_xact_lock_shared(3)',
  "SELECT set_config('my.a','7',false)",
  'SHOW DateStyle',
  'DISCARD TEMP',
  'SELECT count(*)>=0 FROM ft',
  "SET hatidata.request_id = '5'",
  '#REFUSED',
].filter((t) => !quiet.some((x) => t.includes(x)));
type M = { s: number; label: string; a: Buffer; d: Buffer };
function make(seed: number): M[][] {
  const r = rng(seed),
    pick = <T>(a: T[]) => a[Math.floor(r() * a.length)]!;
  const batches: M[][] = [];
  const names = ['', 'n1', 'n2'],
    portals = ['', 'p1'];
  for (let b = 0; b < 7; b++) {
    const s = r() < 0.55 ? 0 : 1;
    const m: M[] = [];
    const n = 1 + Math.floor(r() * 6);
    const put = (label: string, a: Buffer, d = a) => m.push({ s, label, a, d });
    const copyTail = () => {
      const y = r();
      if (r() < 0.3) put('sync', f.sync());
      if (r() < 0.8) {
        if (!quiet.includes('BAD') && r() < 0.2) put('cd(bad)', f.copyData('x\n'));
        else put('cd', f.copyData('7\n'));
      }
      if (!quiet.includes('BAD') && r() < 0.15) put('sync', f.sync());
      if (y < 0.8) put('done', f.copyDone());
      else put('fail', Buffer.from([0x66, 0, 0, 0, 7, 0x6e, 0x6f, 0]));
    };
    const text = (t: string, mk: (t: string) => Buffer, label: (t: string) => string) =>
      t === '#REFUSED'
        ? put(label(t), mk("SELECT pg_read_file('x')"), mk('SELEC'))
        : put(label(t), mk(t));
    for (let i = 0; i < n; i++) {
      const x = r();
      if (x < 0.2) {
        const nm = pick(names);
        text(
          pick(texts),
          (t) => f.parse(nm, t),
          (t) => `parse(${nm}:${t})`,
        );
      } else if (x < 0.34) {
        const nm = pick(names),
          po = pick(portals),
          v = r() < 0.2 ? ['5'] : [];
        put(`bind(${po}<${nm}${v.length ? ':5' : ''})`, f.bind(po, nm, v));
      } else if (x < 0.44) {
        const po = pick(portals),
          k = r() < 0.25 ? 1 : 0;
        put(`exec(${po},${k})`, f.execute(po, k));
      } else if (x < 0.62) {
        const nm = pick(names),
          t = pick(texts);
        text(
          t,
          (t) => f.parse(nm, t),
          (t) => `parse(${nm}:${t})`,
        );
        put(`bind(<${nm})`, f.bind('', nm));
        put('exec(,0)', f.execute('', 0));
        if (t.startsWith('COPY ft')) copyTail();
        if (r() < 0.6) put(`closeS(${nm})`, f.close('S', nm));
      } else if (x < 0.66) {
        const nm = pick(names);
        put(`descS(${nm})`, f.describe('S', nm));
      } else if (x < 0.68) {
        const nm = pick(portals);
        put(`descP(${nm})`, f.describe('P', nm));
      } else if (x < 0.73) {
        const nm = pick(names);
        put(`closeS(${nm})`, f.close('S', nm));
      } else if (x < 0.75) put('flush', f.flush());
      else if (x < 0.81) put('sync', f.sync());
      else {
        const t = pick(texts);
        text(
          t,
          (t) => f.query(t),
          (t) => `Q(${t})`,
        );
        if (t.startsWith('COPY ft')) copyTail();
      }
    }
    if (r() < 0.85) put('sync', f.sync());
    batches.push(m);
  }
  for (const s of [0, 1])
    batches.push([
      { s, label: 'sync', a: f.sync(), d: f.sync() },
      { s, label: 'Q(end)', a: f.query("SELECT 'end'"), d: f.query("SELECT 'end'") },
    ]);
  return batches;
}
function texted(buf: any[]): string[] {
  return show(buf)
    .filter((x: string) => x !== 'N' && x !== 'S')
    .map((x: string) => {
      return x.startsWith('E ') ? 'E' : x;
    });
}
async function more(r: any, out: any[], ms: number) {
  const n: any = await Promise.race([r.next(), sleep(ms).then(() => 'T')]);
  if (n === 'T') {
    r.wake = () => 0;
    return false;
  }
  if (n === undefined) {
    if (out[out.length - 1] !== 'END') out.push('END');
    return false;
  }
  out.push(n);
  return true;
}
const fin = (o: any[]) => {
  const t = texted(o.filter((x) => x !== 'END'));
  if (o.includes('END')) t.push('END');
  return t.join(' ; ');
};
async function play(batches: M[][]): Promise<{ at: number; x: string; y: string } | undefined> {
  rnd = 7;
  const D = await Promise.all([direct(), direct()]),
    A = await Promise.all([RawClient.login(p.port), RawClient.login(p.port)]);
  try {
    for (const [i, b] of batches.entries()) {
      if (b.length === 0) continue;
      const s = b[0]!.s;
      const d: any = D[s],
        a: any = A[s];
      d.send(Buffer.concat(b.map((m) => m.d)));
      a.send(Buffer.concat(b.map((m) => m.a)));
      const x: any[] = [],
        y: any[] = [];
      while (await more(d, x, 22));
      const want = fin(x);
      while (await more(a, y, 12));
      let waited = 0;
      while (fin(y) !== want && waited < 900) {
        if (!(await more(a, y, 60))) {
          waited += 60;
          while (await more(d, x, 1));
        }
        if (y.includes('END')) break;
      }
      const w2 = fin(x),
        got = fin(y);
      if (w2 !== got) return { at: i, x: w2, y: got };
      if (w2.endsWith('END')) return undefined;
    }
    return undefined;
  } finally {
    [...D, ...A].forEach((c: any) => {
      try {
        c.send(Buffer.from([0x58, 0, 0, 0, 4]));
      } catch {}
      c.close();
    });
    await sleep(15);
  }
}

const lay = (bs: M[][]) =>
  bs
    .filter((b) => b.length)
    .map((b) => `[${'AB'[b[0]!.s]}] ` + b.map((m) => m.label).join(' '))
    .join(' || ');
async function crash(bs: M[][], mode: string): Promise<boolean> {
  let C: any[] = [];
  for (let k = 0; k < 40; k++) {
    try {
      C =
        mode === 'direct'
          ? await Promise.all([direct(), direct()])
          : await Promise.all([RawClient.login(p.port), RawClient.login(p.port)]);
      break;
    } catch {
      await sleep(300);
    }
  }
  for (const b of bs) {
    if (!b.length) continue;
    const c = C[b[0]!.s];
    c.send(Buffer.concat(b.map((m) => m.a)));
    const o: any[] = [];
    while (await more(c, o, 35));
    if (o.includes('END')) {
      if (mode !== 'direct' || true) {
        const t = fin(o);
        C.forEach((c) => c.close());
        await sleep(120);
        try {
          const z: any = await direct();
          z.close();
          return false;
        } catch {
          return true;
        }
      }
    }
  }
  C.forEach((c) => c.close());
  await sleep(60);
  try {
    const z: any = await direct();
    z.close();
    return false;
  } catch {
    return true;
  }
}
for (const mode of ['direct', 'proxy']) {
  let bs = make(seed0).map((b) => b);
  let hit = 0;
  for (let k = 0; k < 3 && !hit; k++) hit += (await crash(bs, mode)) ? 1 : 0;
  log(mode, 'crashes?', hit);
  if (!hit) continue;
  const end = Date.now() + 100000;
  let again = true;
  while (again && Date.now() < end) {
    again = false;
    for (let i = bs.length - 1; i >= 0 && Date.now() < end; i--) {
      const t = bs.filter((_, k) => k !== i);
      if (await crash(t, mode)) {
        bs = t;
        again = true;
        log(lay(bs));
      }
    }
    for (let i = 0; i < bs.length && Date.now() < end; i++)
      for (let j = 0; j < bs[i]!.length && Date.now() < end; j++) {
        const t = bs.map((b, k) => (k === i ? b.filter((_, l) => l !== j) : b));
        if (await crash(t, mode)) {
          bs = t;
          again = true;
          j--;
          log(lay(bs));
        }
      }
  }
  log(mode, 'MIN', lay(bs));
  break;
}
process.exit(0);
