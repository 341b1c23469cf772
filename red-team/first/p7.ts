import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
const p = await boot({ writers: 1, readers: 1, queueSeconds: 5 });
const L = (key = '', o = {}) => RawClient.login(p.port, key, o);
const admin = await L();
log(
  await q(
    admin,
    `CREATE TABLE t (name text); CREATE TABLE slow (i int); CREATE FUNCTION zz() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER zz AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION zz()`,
  ),
);
await q(admin, 'DISCARD ALL');
await run(
  'pipelined COPY: the Sync behind it is forgotten; stray Z goes to the next holder',
  p,
  async () => {
    const a = await L(),
      b = await L('', { application_name: 'b' });
    a.send(
      f.query('COPY t FROM STDIN'),
      f.copyData('x\n'),
      f.copyDone(),
      f.parse('', 'INSERT INTO slow VALUES (1)'),
      f.bind('', ''),
      f.execute(''),
      f.flush(),
      f.sync(),
    );
    await sleep(50);
    b.send(f.query("SELECT 'answer of B 1'"));
    log('B 1', await timed(b.untilReady().then(show)));
    b.send(f.query("SELECT 'answer of B 2'"));
    log('B 2', await timed(b.untilReady().then(show)));
    b.send(f.query("SELECT 'answer of B 3'"));
    log('B 3', await timed(b.untilReady().then(show)));
    log(
      'A',
      show(
        [...(await timed(a.untilReady())), ...((await timed(a.untilReady(), 1500)) ?? [])].filter(
          (x: any) => x.type,
        ),
      ),
    );
    const c = await L();
    log('C', await q(c, "SELECT 'answer of C'"));
    a.close();
    b.close();
    c.close();
    await sleep(300);
  },
);
await run('pipelined COPY + error: hang', p, async () => {
  const a = await L();
  a.send(
    f.query('COPY t FROM STDIN'),
    f.copyData('x\n'),
    f.copyDone(),
    f.execute('nope'),
    f.sync(),
  );
  log(await timed(a.untilReady().then(show)), await timed(a.untilReady().then(show)));
  log('next Query', await q(a, 'SELECT 1'));
  a.close();
  await sleep(300);
});
await run('same without COPY pipelining: CopyDone+Flush; batch goes on', p, async () => {
  const a = await L();
  a.send(f.parse('', 'COPY t FROM STDIN'), f.bind('', ''), f.execute(''), f.sync());
  await a.until('G');
  a.send(f.copyData('atomic\n'), f.copyDone(), f.flush());
  await a.until('C');
  log(
    'rest of batch fails',
    await ask(a, f.parse('', 'SELECT 1/0'), f.bind('', ''), f.execute(''), f.sync()),
  );
  const b = await L();
  log("rows 'atomic' (PG: 0)", await q(b, "SELECT count(*) FROM t WHERE name = 'atomic'"));
  a.close();
  b.close();
  await sleep(300);
});
const pidFile = readFileSync(join(p.running.dataDirectory!, 'postmaster.pid'), 'utf8').split('\n');
const secrets = JSON.parse(readFileSync(join(p.directory, 'secrets.json'), 'utf8'));
log(Object.keys(secrets));
const su: any = new pg.Client({
  host: pidFile[4],
  port: Number(pidFile[3]),
  user: 'hatidata_superuser',
  password: secrets.superuser,
  database: 'hatidata',
});
try {
  await su.connect();
} catch (e: any) {
  log(e.message);
}
await run('SET ROLE and PREPARE in a trigger survive the cleaning', p, async () => {
  await su.query('CREATE ROLE other_team NOLOGIN');
  await su.query('GRANT other_team TO hatidata_writer');
  await su.query('GRANT USAGE ON SCHEMA main TO other_team');
  const a = await L(),
    b = await L();
  log(
    await q(
      a,
      `CREATE FUNCTION trole() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SET ROLE other_team'; EXECUTE 'PREPARE leftover AS SELECT 77'; RETURN NULL; END $$; CREATE TABLE tr (i int); CREATE TRIGGER tr AFTER INSERT ON tr FOR EACH ROW EXECUTE FUNCTION trole()`,
    ),
  );
  await q(a, 'DISCARD ALL');
  await sleep(300);
  log(await q(a, 'INSERT INTO tr VALUES (1)'));
  log(
    'B is',
    await q(
      b,
      "SELECT current_user, session_user, (SELECT string_agg(name, ',') FROM pg_prepared_statements WHERE name !~ '^hd_')",
    ),
  );
  log('B', await q(b, 'EXECUTE leftover'));
  log(await q(b, 'DISCARD ALL'));
  a.close();
  b.close();
  await sleep(200);
});
await run('engine role at its connection limit', p, async () => {
  const p2 = await boot({ writers: 3, queueSeconds: 8 });
  const d2 = JSON.parse(readFileSync(join(p2.directory, 'secrets.json'), 'utf8'));
  const pf = readFileSync(join(p2.running.dataDirectory!, 'postmaster.pid'), 'utf8').split('\n');
  const s2: any = new pg.Client({
    host: pf[4],
    port: Number(pf[3]),
    user: 'hatidata_superuser',
    password: d2.superuser,
    database: 'hatidata',
  });
  await s2.connect();
  await s2.query('ALTER ROLE hatidata_writer CONNECTION LIMIT 2');
  const c = await Promise.all([1, 2, 3, 4].map(() => RawClient.login(p2.port)));
  log(await q(c[0], 'BEGIN'), await q(c[1], 'BEGIN'));
  const t = Date.now();
  log('third, which could wait', await q(c[2], 'SELECT 1'), Date.now() - t, 'ms');
  await q(c[0], 'COMMIT');
  log('free now', await q(c[2], 'SELECT 1'));
  await s2.end();
  c.forEach((x) => x.close());
  await p2.stop();
});
await su.end().catch(() => 0);
await timed(p.stop(), 8000);
process.exit(0);
