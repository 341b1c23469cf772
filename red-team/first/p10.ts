import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
const { cancelRequest } = await import('../../src/wire/frontend-messages.ts');
const p = await boot({ writers: 1, readers: 1, queueSeconds: 5 });
const L = (key = '', o = {}) => RawClient.login(p.port, key, o);
await run('cancel never hits a neighbour', p, async () => {
  const a: any = await p.client('', { application_name: 'A' }),
    b: any = await p.client('', { application_name: 'B' });
  let hits = 0,
    n = 0,
    own = 0,
    stop = false;
  const other: any = {};
  const victim = (async () => {
    while (!stop) {
      try {
        await b.query('SELECT pg_sleep(0.001)');
        n++;
      } catch (e: any) {
        hits++;
        other[e.code + e.message] = 1;
        if (hits > 5) break;
      }
    }
  })();
  const s = Buffer.alloc(4);
  s.writeInt32BE(a.secretKey);
  const until = Date.now() + 8000;
  while (Date.now() < until) {
    const pr = a.query('SELECT pg_sleep(0.002)').catch((e: any) => {
      own++;
    });
    setTimeout(() => {
      const r = new RawClient(p.port);
      r.send(cancelRequest(a.processID, s));
    }, Math.random() * 4);
    await timed(pr, 5000);
  }
  stop = true;
  await timed(victim);
  log({ n, hits, own, other });
});
await run('idle links killed, then used at once', p, async () => {
  const pf = readFileSync(join(p.running.dataDirectory!, 'postmaster.pid'), 'utf8').split('\n');
  const sec = JSON.parse(readFileSync(join(p.directory, 'secrets.json'), 'utf8'));
  const su: any = new pg.Client({
    host: pf[4],
    port: Number(pf[3]),
    user: 'hatidata_superuser',
    password: sec.superuser,
    database: 'hatidata',
  });
  await su.connect();
  const tally: any = {};
  for (let i = 0; i < 25; i++) {
    const a = await L('', { application_name: 'k' + (i % 2) });
    await q(a, 'SELECT 1');
    const k = su.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where usename='hatidata_writer'",
    );
    if (i % 3) await sleep(i % 3);
    a.send(f.query('SELECT 1'));
    const r = String(await timed(a.untilReady().then(show))).slice(0, 110);
    tally[r] = (tally[r] ?? 0) + 1;
    await k;
    a.close();
    await sleep(30);
  }
  log(tally);
  await su.end();
});
await run('CREATE TABLE / search_path pg_temp by set_config', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, "SELECT set_config('search_path', 'pg_temp', false)");
  log(await q(a, 'CREATE TABLE mytemp (i int)'));
  log('own temp table gone', await q(b, 'SELECT 1'), await q(a, 'SELECT * FROM mytemp'));
  a.close();
  b.close();
  await sleep(100);
});
await run('lastval after INSERT outside a transaction', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, 'CREATE TABLE ss (id serial, n text)');
  await q(a, 'DISCARD ALL');
  await q(a, "INSERT INTO ss (n) VALUES ('x')");
  await q(b, 'SELECT 1');
  log('A lastval', await q(a, 'SELECT lastval()'));
  a.close();
  b.close();
});
await run('RESET ALL: application_name told vs. holds; SHOW', p, async () => {
  const a = await L('', { application_name: 'mine' });
  log(await q(a, 'RESET ALL'), 'same visit?');
  log(await q(a, 'SHOW application_name'));
  log(await q(a, 'BEGIN; RESET application_name; SHOW application_name; COMMIT'));
  a.close();
});
await p.stop();
process.exit(0);
