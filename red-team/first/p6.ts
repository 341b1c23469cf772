import { boot, f, RawClient, show, ask, q, log, run, sleep, timed, pg } from './lib.ts';
const p = await boot({ writers: 3, readers: 1, queueSeconds: 3 });
const L = (key = '', o = {}) => RawClient.login(p.port, key, o);
const admin = await L();
await q(
  admin,
  "CREATE TABLE open_t (id int); CREATE TABLE secret_t (word text); INSERT INTO secret_t VALUES ('the secret'); INSERT INTO open_t VALUES (1)",
);
await run('rights that were taken back live on in the pool', p, async () => {
  const key = async (l: string) =>
    (await q(admin, `SELECT create_api_key('ag', 'readonly', 'd', '${l}')`))[1].slice(2);
  const a = await L(await key('{"tables":["main.open_t","main.secret_t"]}'));
  log(
    'wide',
    await ask(
      a,
      f.parse('rep', 'SELECT word FROM secret_t'),
      f.bind('', 'rep'),
      f.execute(''),
      f.sync(),
    ),
  );
  log('wide EXECUTE', await q(a, 'EXECUTE rep'));
  log(await q(admin, "SELECT revoke_api_key('ag')"));
  await sleep(200);
  const b = await L(await key('{"tables":["main.open_t"]}'));
  log('narrow direct', await q(b, 'SELECT word FROM secret_t'));
  const err = await ask(b, f.parse('x', 'SELECT $1::int'), f.bind('', 'x'), f.sync());
  log('name leaks in', err);
  const m = /(hd_[0-9a-f]+_)(\d+)/.exec(err.join());
  log(
    'narrow pg_prepared_statements',
    await q(b, 'SELECT name, statement FROM pg_prepared_statements'),
  );
  for (let i = Number(m![2]); i > Number(m![2]) - 4 && i > 0; i--)
    log(i, await q(b, `EXECUTE ${m![1]}${i}`));
  log('narrow EXECUTE rep', await q(b, 'EXECUTE rep'));
  b.close();
});
await run('slow reader with SET in its text', p, async () => {
  const a = await L();
  a.send(f.query("SET my.s = '1'; SELECT repeat('x', 1000000) FROM generate_series(1, 60)"));
  a.socket.pause();
  await sleep(13000);
  a.socket.resume();
  log(
    (await timed(a.untilReady().then(show)))
      .toString()
      .replace(/x{100,}/g, 'x…')
      .slice(-200),
  );
  log(String(await q(a, 'SELECT 1')).slice(0, 200));
  a.close();
});
await run('SET ROLE in a trigger', p, async () => {
  const d = new pg.Client({ ...p.direct('control') });
  try {
    await d.connect();
    const r = await d.query("select rolname, rolsuper from pg_roles where rolname !~ '^pg_'");
    log(r.rows.map((x: any) => x.rolname + ':' + x.rolsuper).join(' '));
    try {
      await d.query('CREATE ROLE other_team NOLOGIN');
      await d.query('GRANT other_team TO hatidata_writer');
    } catch (e: any) {
      log(e.message);
    }
  } finally {
    await d.end().catch(() => 0);
  }
  const a = await L(),
    b = await L();
  log(
    await q(
      a,
      `CREATE FUNCTION trole() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'SET ROLE other_team'; EXECUTE 'PREPARE leftover AS SELECT 77'; RETURN NEW; END $$; CREATE TABLE tr (i int); CREATE TRIGGER tr BEFORE INSERT ON tr FOR EACH ROW EXECUTE FUNCTION trole()`,
    ),
  );
  const holdA = await L(),
    holdB = await L();
  await q(holdA, 'BEGIN');
  await q(holdB, 'BEGIN'); // one link left
  log(await q(a, 'INSERT INTO tr VALUES (1)'));
  log(
    'B is',
    await q(
      b,
      "SELECT current_user, session_user, (SELECT string_agg(name, ',') FROM pg_prepared_statements WHERE name !~ '^hd_')",
    ),
  );
  log('B', await q(b, 'EXECUTE leftover'));
  await q(holdA, 'ROLLBACK');
  await q(holdB, 'ROLLBACK');
  [a, b, holdA, holdB].forEach((c) => c.close());
});
await run('engine role at its connection limit', p, async () => {
  const before = await L();
  await q(before, 'DISCARD ALL');
  await sleep(300);
  const l1 = await L(),
    l2 = await L(),
    l3 = await L();
  log(await q(l1, 'BEGIN'), await q(l2, 'BEGIN'));
  const d = new pg.Client({ ...p.direct('control') });
  await d.connect();
  try {
    await d.query('ALTER ROLE hatidata_writer CONNECTION LIMIT 2');
  } catch (e: any) {
    log(e.message);
  }
  const pids = await d.query(
    "select pid, state from pg_stat_activity where usename='hatidata_writer' and state='idle'",
  );
  for (const r of pids.rows)
    await d.query('select pg_terminate_backend($1)', [r.pid]).catch((e: any) => log(e.message));
  await sleep(300);
  log('third, instead of waiting', await q(l3, 'SELECT 1'));
  await d.query('ALTER ROLE hatidata_writer CONNECTION LIMIT -1').catch(() => 0);
  await d.end();
  [l1, l2, l3].forEach((c) => c.close());
});
await p.stop();
