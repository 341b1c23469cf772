import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
import { execSync } from 'node:child_process';
const p = await boot({ writers: 2 });
const L = (o = {}, key = '') => RawClient.login(p.port, key, o);
await q(await L(), 'CREATE TABLE t (id serial primary key, name text)');
const pid = async (c: any) => Number((await q(c, 'SELECT pg_backend_pid()'))[1].slice(2));
await run('exchange timeout: late answer + leak', p, async () => {
  const a = await L({ application_name: 'a' }),
    b = await L({ application_name: 'b' });
  const x = await pid(a);
  process.kill(x, 'SIGSTOP');
  try {
    b.send(f.query('SELECT 1'));
    const t = Date.now();
    log('B', await timed(b.untilReady().then(show), 15000), Date.now() - t);
    log('B on the other link', await q(b, 'BEGIN'), (await pid(b)) !== x);
    b.send(f.query("SELECT pg_sleep(1), 'real answer'"));
    await sleep(200);
    process.kill(x, 'SIGCONT');
    log('B gets', await timed(b.untilReady().then(show)));
    log('B gets', await timed(b.untilReady().then(show)));
    await q(b, 'ROLLBACK');
  } finally {
    try {
      process.kill(x, 'SIGCONT');
    } catch {}
  }
  b.close();
  a.close();
  const c = await L(),
    d = await L();
  log('two at once?', await q(c, 'BEGIN'), await q(d, 'BEGIN'));
  c.close();
  d.close();
  await sleep(300);
});
await run('failed cancel after give back', p, async () => {
  const pm = Number(
    execSync(`head -1 ${p.running.dataDirectory}/postmaster.pid`).toString().trim(),
  );
  const a: any = await p.client();
  const run1 = a.query('SELECT pg_sleep(1)').catch((e: any) => e.message);
  await sleep(200);
  process.kill(pm, 'SIGSTOP');
  try {
    const s = Buffer.alloc(4);
    s.writeInt32BE(a.secretKey);
    const { cancelRequest } = await import('../../src/wire/frontend-messages.ts');
    const raw = new RawClient(p.port);
    raw.send(cancelRequest(a.processID, s));
    log('ran', await timed(run1, 5000));
    await sleep(6500);
  } finally {
    process.kill(pm, 'SIGCONT');
  }
  await sleep(500);
  const c = await L(),
    d = await L();
  log('two at once?', await q(c, 'BEGIN'), await timed(q(d, 'BEGIN')));
  c.close();
  d.close();
});
const t = Date.now();
log(
  'stop',
  await timed(
    p.stop().then(() => 'stopped'),
    20000,
  ),
  Date.now() - t,
);
process.exit(0);
