import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
const p = await boot({ idleSeconds: 2 });
const L = (o = {}, key = '') => RawClient.login(p.port, key, o);
await q(await L(), 'CREATE TABLE t (id serial primary key, name text)');
await run('COPY acknowledged by us then swept', p, async () => {
  const a = await L();
  a.send(f.parse('', 'COPY t (name) FROM STDIN'), f.bind('', ''), f.execute(''), f.sync());
  await a.until('G');
  a.send(f.copyData('lost\n'), f.copyDone(), f.flush());
  log(await timed(a.until('C').then(show)));
  log('sync', await ask(a, f.sync()));
  await sleep(7500);
  log('A data (should be 1)', await q(a, "SELECT count(*) FROM t WHERE name='lost'"));
});
await run('isolation: B ended?', p, async () => {
  const a = await L(),
    b = await L();
  log(
    await q(a, 'BEGIN'),
    await q(a, "SET transaction_isolation = 'serializable'"),
    await q(a, 'COMMIT'),
  );
  log(await q(a, "SET default_transaction_isolation = 'repeatable read'"));
  log(await q(b, "SET default_transaction_isolation = 'serializable'"), await q(b, 'SELECT 1'));
  log('A', await q(a, 'SELECT 1'));
  log('B', await q(b, 'SELECT 1'));
  log('A', await q(a, 'SELECT 1'));
  a.close();
  b.close();
});
const at = p.logged().length;
await run('statement_timeout 1ms', p, async () => {
  const a = await L(),
    b = await L();
  for (let i = 0; i < 5; i++) {
    const c = await L({ application_name: 'c' });
    log(
      'A',
      await q(c, 'SET statement_timeout = 1'),
      'B',
      await q(b, 'SELECT 1'),
      'A',
      await q(c, 'SELECT 1'),
    );
    c.close();
  }
  a.close();
  b.close();
});
await run('idle_session_timeout', p, async () => {
  const b = await L({ application_name: 'b' });
  let bad = 0;
  const tally: any = {};
  for (let i = 0; i < 30; i++) {
    const c = await L();
    await q(c, "SET idle_session_timeout = '1ms'");
    await sleep(i % 4);
    const r = String(await q(b, 'SELECT 1')).slice(0, 90);
    tally[r] = (tally[r] ?? 0) + 1;
    if (r.startsWith('ERR')) break;
    c.close();
  }
  log(tally);
  b.close();
});
console.log(
  p
    .logged()
    .slice(at)
    .split('\n')
    .filter((l) => /"level":(50|40)/.test(l) || /err/.test(l))
    .slice(0, 6)
    .join('\n'),
);
await run('discarding stuck: refused Parse while settings are read (pinned)', p, async () => {
  const p2 = p;
  const a = await L();
  log(await q(a, 'CREATE TEMP TABLE x (i int)'));
  for (let i = 0; i < 6; i++) {
    a.send(f.query("SET my.a = '1'"));
    await a.until('Z');
    a.send(f.parse('', 'CREATE ROLE evil'));
    await a.until('E');
    await sleep(30);
    log(await ask(a, f.sync()));
    const r = await q(a, 'SELECT 1');
    log(r);
    if (r === 'HANG') break;
  }
  a.close();
});
await run('notification lost while settings are read', p, async () => {
  const w = await boot({ writers: 2 });
  const a: any = await w.client(),
    b: any = await w.client();
  let got = 0;
  a.on('notification', () => got++);
  await a.query('LISTEN c');
  let sent = 0,
    stop = false;
  const sender = (async () => {
    while (!stop) {
      await b.query(`SELECT pg_notify('c','${sent}')`);
      sent++;
    }
  })();
  for (let i = 0; i < 300; i++) await a.query(`SET my.n = '${i}'`);
  stop = true;
  await sender;
  await sleep(300);
  await a.query('SELECT 1');
  await sleep(300);
  log({ sent, got });
  await w.stop();
});
await p.stop();
