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
      return show(out).join(' ; ');
    }
    if (n === undefined) return [...show(out), 'END'].join(' ; ');
    out.push(n);
  }
};
const a = await RawClient.login(p.port);
await q(a, 'CREATE TABLE ft (i int)');
const X = (t: string) => [f.parse('', t), f.bind('', ''), f.execute('')];
for (const kind of ['direct', 'proxy']) {
  const c = kind === 'direct' ? await direct() : await RawClient.login(p.port);
  c.send(
    f.parse('n1', "SELECT 'OLD'"),
    f.execute('nope'),
    f.close('S', 'n1'),
    f.sync(),
    f.parse('n1', "SELECT 'NEW'"),
    f.sync(),
  );
  log(kind, await all(c));
  c.send(f.bind('', 'n1'), f.execute(''), f.sync());
  log(kind, 'n1 is', await all(c));
  const d = kind === 'direct' ? await direct() : await RawClient.login(p.port);
  d.send(
    ...X('SELECT 1'),
    f.query(`INSERT INTO ft VALUES (${kind === 'direct' ? 1 : 2})`),
    f.sync(),
  );
  log(kind, await all(d));
  d.send(f.query('SELECT count(*) FROM ft'));
  log(kind, await all(d));
  d.send(f.query('SELECT count(*) FROM ft'));
  log(kind, await all(d));
  d.close();
  await sleep(200);
  log(kind, 'rows in the end', await q(a, 'SELECT i FROM ft'));
}
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
