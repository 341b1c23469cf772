import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
const p = await boot({ writers: 3 });
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
const all = async (r: any, ms = 200) => {
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
const X = (t: string) => [f.parse('', t), f.bind('', ''), f.execute('')];
const cases: any = [
  [
    '1 BEGIN portal; err; exec',
    [
      [...X('BEGIN'), f.close('S', ''), f.sync()],
      [f.query('SELECT 1/0')],
      [f.execute(''), f.sync()],
    ],
  ],
  [
    '2 same without close',
    [[...X('BEGIN'), f.sync()], [f.query('SELECT 1/0')], [f.execute(''), f.sync()]],
  ],
  [
    '3 exec BEGIN portal after',
    [
      [...X('BEGIN'), f.close('S', ''), f.sync()],
      [f.execute(''), f.sync()],
    ],
  ],
  [
    '4 extended err',
    [
      [...X('BEGIN'), f.close('S', ''), f.sync()],
      [...X('SELECT 1/0'), f.sync()],
      [f.execute(''), f.sync()],
    ],
  ],
  [
    '5 many',
    [
      [...X('BEGIN'), f.close('S', ''), f.sync()],
      [f.close('S', 'n2'), f.query('ROLLBACK TO s'), f.bind('p1', 'n1'), f.sync()],
      [f.query('BEGIN'), f.sync()],
      [f.bind('', 'n2'), f.execute(''), f.sync(), f.close('S', 'n2')],
      [
        f.query('SELECT count(*)>=0 FROM pg_class'),
        f.execute(''),
        f.parse('n2', 'SHOW DateStyle'),
        f.sync(),
        f.execute(''),
        f.sync(),
      ],
    ],
  ],
];
for (const kind of ['direct', 'proxy'])
  for (const [name, bs] of cases) {
    let c: any;
    try {
      c = kind === 'proxy' ? await RawClient.login(p.port) : await direct();
    } catch {
      await sleep(3000);
      c = kind === 'proxy' ? await RawClient.login(p.port) : await direct();
    }
    const out: any[] = [];
    const w = await RawClient.login(p.port);
    for (const b of bs) {
      c.send(...b);
      out.push((await all(c)).join(' ; '));
    }
    log(kind, name, JSON.stringify(out));
    c.close();
    await sleep(300);
    w.close();
    try {
      const t = await direct();
      t.close();
    } catch (e: any) {
      log('   !!! engine is down after', kind, name, e.message);
      await sleep(4000);
    }
  }
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
