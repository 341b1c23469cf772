import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
import { LinkStatements } from '../../src/engine/pool/link-statements.ts';
import { EngineLink } from '../../src/engine/pool/link.ts';
let parses = 0,
  exch = 0;
const seen = new Set<any>();
const o1 = LinkStatements.prototype.sent;
(LinkStatements.prototype as any).sent = function (s: any) {
  parses++;
  seen.add(this);
  return o1.call(this, s);
};
const o2 = EngineLink.prototype.exchange;
(EngineLink.prototype as any).exchange = function (m: any) {
  exch++;
  return o2.call(this, m);
};
const p = await boot({ queueSeconds: 4 });
const L = (o: any = {}) => RawClient.login(p.port, '', o);
{
  const a = await L();
  log(await q(a, 'CREATE TABLE t (i int); CREATE TABLE tt (x text)'));
  a.close();
}
await run('writers share: hidden Parses and exchanges', p, async () => {
  const a = await L(),
    b = await L();
  for (const c of [a, b])
    await ask(
      c,
      f.parse('ins', 'INSERT INTO t VALUES ($1::int)'),
      f.parse('sel', 'SELECT count(*) FROM t WHERE i = $1::int'),
      f.sync(),
    );
  parses = 0;
  exch = 0;
  for (let i = 0; i < 50; i++)
    for (const c of [a, b])
      await ask(
        c,
        f.bind('', 'ins', ['1']),
        f.execute(''),
        f.bind('', 'sel', ['1']),
        f.execute(''),
        f.sync(),
      );
  log(
    '100 batches: parses',
    parses,
    'exchanges',
    exch,
    'known',
    [...seen].map((x) => x.known.size),
  );
  parses = 0;
  for (let i = 0; i < 300; i++) {
    await ask(
      a,
      f.parse('pv', 'SELECT 5'),
      f.bind('', 'pv'),
      f.execute(''),
      f.close('S', 'pv'),
      f.bind('', 'ins', ['1']),
      f.execute(''),
      f.sync(),
    );
  }
  log(
    '300 x same text Parse+Close behind writes: parses',
    parses,
    'known',
    [...seen].map((x) => [x.known.size, x.bytes]),
  );
  a.close();
  b.close();
});
await run('epoch thrash by DO / temp tables of another', p, async () => {
  const a = await L(),
    b = await L();
  await ask(b, f.parse('z', 'SELECT 6'), f.sync());
  parses = 0;
  for (let i = 0; i < 30; i++) {
    log.length;
    await q(a, 'BEGIN');
    await q(a, 'ROLLBACK');
    await ask(
      b,
      f.parse('k', 'SELECT 77'),
      f.bind('', 'k'),
      f.execute(''),
      f.close('S', 'k'),
      f.sync(),
    );
  }
  log('without DDL', parses);
  parses = 0;
  for (let i = 0; i < 30; i++) {
    await q(a, 'CREATE TABLE IF NOT EXISTS t (i int)');
    await ask(
      b,
      f.parse('k', 'SELECT 77'),
      f.bind('', 'k'),
      f.execute(''),
      f.close('S', 'k'),
      f.sync(),
    );
  }
  log('with CREATE TABLE IF NOT EXISTS of another', parses);
  a.close();
  b.close();
});
await run('start-up statement_timeout of 3 s pins', p, async () => {
  const a = await L({ options: '-c statement_timeout=3000' }),
    b = await L();
  log(await q(a, 'SELECT 1'));
  const r: any = (b.send(f.query('SELECT 1')), await timed(b.untilReady().then(show), 8000));
  log('B', r);
  a.close();
  b.close();
});
await run('current_setting of a name another used', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, "SET app.tenant = '5'");
  log(
    await q(b, "SELECT current_setting('app.tenant', true) IS NULL AS is_null"),
    await q(b, "SELECT current_setting('app.tenant')"),
  );
  a.close();
  b.close();
});
await run('nested EXECUTE: cursor with hold / temp', p, async () => {
  const a = await L(),
    b = await L();
  await ask(
    a,
    f.parse('q9', "CREATE TEMP TABLE nest AS SELECT 'of A' AS x"),
    f.parse('p9', 'EXECUTE q9'),
    f.sync(),
  );
  log(
    await q(a, 'EXECUTE p9'),
    await timed(q(b, 'SELECT * FROM nest')),
    await q(a, 'SELECT * FROM nest'),
  );
  a.close();
  b.close();
});
await run('queued Terminate/kill while restoring', p, async () => {
  for (let i = 0; i < 60; i++) {
    const a = await L({ application_name: 'k' + i });
    a.send(f.query("SET my.q='" + i + "'"), f.query('SELECT 1'));
    await sleep(Math.random() * 4);
    a.close();
  }
  await sleep(500);
  const b = await L();
  log(await timed(q(b, 'SELECT 1')));
  b.close();
});
log(
  'stop',
  await timed(
    p.stop().then(() => 'ok'),
    15000,
  ),
);
process.exit(0);
