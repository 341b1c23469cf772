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
const all = async (r: any, ms = 250) => {
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
for (const kind of ['proxy', 'direct'])
  for (const [name, bs] of [
    [
      'a',
      [
        [f.parse('', 'BEGIN'), f.bind('', ''), f.execute(''), f.close('S', ''), f.sync()],
        [f.close('S', 'n2'), f.query('ROLLBACK TO s'), f.bind('p1', 'n1'), f.sync()],
      ],
    ],
    ['b', [[f.query('BEGIN')], [f.close('S', 'n2'), f.query('ROLLBACK TO s'), f.sync()]]],
    ['c', [[f.query('BEGIN')], [f.query('ROLLBACK TO s')]]],
    ['d', [[f.query('BEGIN')], [f.close('S', 'n2'), f.query('SELECT 1/0')], [f.sync()]]],
    [
      'e',
      [
        [
          f.query("SET LOCAL my.a = '2'"),
          f.parse('n1', 'SELECT nothing'),
          f.close('S', 'n1'),
          f.sync(),
        ],
        [f.parse('n1', 'SELECT 1; SELECT 2'), f.bind('', 'n1'), f.execute(''), f.sync()],
      ],
    ],
  ] as any) {
    const c = kind === 'proxy' ? await RawClient.login(p.port) : await direct();
    const out: any[] = [];
    for (const b of bs) {
      c.send(...b);
      out.push((await all(c)).join(' ; '));
    }
    log(kind, name, out);
    c.close();
    await sleep(1500);
    try {
      const t = await direct();
      t.close();
    } catch (e: any) {
      log('engine is down after', kind, name, e.message);
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
