import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
const p = await boot();
const L = (k = '') => RawClient.login(p.port, k);
{
  const a = await L();
  log(await q(a, 'CREATE TABLE t (i int)'));
  a.close();
}
const X = (t: string) => [f.parse('', t), f.bind('', ''), f.execute('')];
let forged = 0;
for (let k = 0; k < 5; k++) {
  const a = await L(),
    b = await L();
  a.send(
    ...X('COPY t FROM STDIN'),
    f.copyData('bad\n'),
    f.sync(),
    ...X("SELECT 'x', pg_sleep(0.3)"),
    f.sync(),
    ...X("SELECT 'FORGED BY A' AS answer, pg_sleep(0.3)"),
    f.sync(),
  );
  await sleep(100);
  b.send(f.query("SELECT 'B1'"));
  const r = await timed(b.untilReady().then(show));
  log('B1', r);
  if (JSON.stringify(r).includes('FORGED')) forged++;
  log('B2', await timed(q(b, "SELECT 'B2'")));
  a.close();
  b.close();
  await sleep(100);
}
log({ forged });
{
  const ad = await L();
  const r = await q(ad, "SELECT create_api_key('ro','readonly')");
  const key = r[1]?.slice(2);
  log('key', String(r).slice(0, 60));
  if (key && !r[1].startsWith('E')) {
    const c = await L(key);
    c.send(f.parse('', 'BEGIN'), f.bind('', ''), f.execute(''), f.flush());
    await sleep(100);
    c.send(f.query('ROLLBACK TO s'));
    await sleep(100);
    c.send(f.query('SELECT count(*)>=0 FROM t'), f.execute(''));
    await sleep(300);
    log('readonly crash: other', await timed(q(ad, 'SELECT 1')));
  }
}
process.exit(0);
