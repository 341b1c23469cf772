import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
const p = await boot({ writers: 1, readers: 1, queueSeconds: 5 });
const L = (key = '', o = {}) => RawClient.login(p.port, key, o);
const admin = await L();
await q(
  admin,
  `CREATE TABLE t (name text); CREATE TABLE slow (i int); CREATE FUNCTION zz() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END $$; CREATE CONSTRAINT TRIGGER zz AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION zz()`,
);
await q(admin, 'DISCARD ALL');
await run('stray Z', p, async () => {
  const a = await L(),
    b = await L('', { application_name: 'b' });
  const t0 = Date.now();
  const seen: any[] = [];
  let live = true;
  (async () => {
    for (;;) {
      const m: any = await a.next();
      if (!m || !live) break;
      seen.push([Date.now() - t0, show([m])[0]]);
    }
  })();
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
  await sleep(150);
  b.send(f.query("SELECT 'answer of B 1'"));
  for (let i = 1; i < 5; i++) {
    log('B', i, Date.now() - t0, await timed(b.untilReady().then(show)));
    if (i < 4) b.send(f.query(`SELECT 'answer of B ${i + 1}'`));
  }
  await sleep(1500);
  live = false;
  log('A', seen);
  a.close();
  b.close();
  await sleep(300);
});
await p.stop();
