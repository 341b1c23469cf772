import { boot, f, RawClient, show, ask, q, log, run, sleep, timed } from './lib.ts';
const p = await boot();
const L = () => RawClient.login(p.port);
await q(await L(), 'CREATE TABLE t (id serial primary key, name text); CREATE SEQUENCE sq');
process.stdout.write('up\n');
await run('EXECUTE exported leaks statement/lock/setting', p, async () => {
  const a = await L(),
    b = await L();
  log(
    await ask(
      a,
      f.parse(
        'p',
        "SELECT 'text of A', pg_try_advisory_lock(42), set_config('my.leak','fromA',false)",
      ),
      f.sync(),
    ),
  );
  log(await q(a, 'EXECUTE p'));
  log(
    'B sees',
    await q(
      b,
      "SELECT current_setting('my.leak',true), (SELECT count(*) FROM pg_locks WHERE locktype='advisory'), (select string_agg(name,',') from pg_prepared_statements)",
    ),
  );
  log('B execute p', await q(b, 'EXECUTE p'));
  log(await ask(b, f.parse('p', "SELECT 'text of B'"), f.sync()));
  log('B execute own p', await q(b, 'EXECUTE p'));
  a.close();
  b.close();
});
await run('nextval/setseed', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, "SELECT nextval('sq')");
  log('B lastval', await q(b, 'SELECT lastval()'));
  await q(a, 'SELECT setseed(0.5)');
  log('B random', await q(b, 'SELECT random()'));
  await q(a, 'SELECT setseed(0.5)');
  log('B random', await q(b, 'SELECT random()'));
  a.close();
  b.close();
});
await run('RESET ALL + SET pipelined', p, async () => {
  const a = await L(),
    b = await L();
  a.send(f.query('RESET ALL'), f.query("SET my.pipe = 'A'; SET search_path = pg_catalog"));
  log(show(await a.untilReady()), show(await a.untilReady()));
  log('B', await q(b, "SELECT current_setting('my.pipe', true), current_setting('search_path')"));
  log('A', await q(a, "SELECT current_setting('my.pipe', true)"));
  a.send(f.query('RESET ALL'));
  await a.untilReady();
  a.close();
  b.close();
});
await run('DISCARD ALL + temp/listen/lock pipelined (npgsql)', p, async () => {
  const a = await L(),
    b = await L();
  a.send(
    f.query('DISCARD ALL'),
    f.parse('', 'CREATE TEMP TABLE secret AS SELECT 1 AS x'),
    f.bind('', ''),
    f.execute(''),
    f.sync(),
    f.query('SELECT pg_advisory_lock(99)'),
    f.query('LISTEN chan'),
    f.query('PREPARE pp AS SELECT 5'),
  );
  for (let i = 0; i < 5; i++) log(show(await a.untilReady()));
  log('B temp', await q(b, 'SELECT * FROM secret'));
  log(
    'B lock',
    await q(b, "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND pid=pg_backend_pid()"),
  );
  log('B listen', await q(b, 'SELECT pg_listening_channels()'));
  log('B EXECUTE pp', await q(b, 'EXECUTE pp'));
  log('A', await q(a, 'SELECT * FROM secret'));
  await q(a, 'DISCARD ALL');
  a.close();
  b.close();
});
await run('shared prepared under other DateStyle (SET in tx before Parse)', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, 'BEGIN');
  await q(a, "SET DateStyle = 'ISO, DMY'");
  log(
    'A',
    await ask(
      a,
      f.parse('d', "SELECT extract(month from '02/01/2020'::date)"),
      f.bind('', 'd'),
      f.execute(''),
      f.sync(),
    ),
  );
  await q(a, 'COMMIT');
  log('B DateStyle', await q(b, 'SHOW DateStyle'));
  log(
    'B',
    await ask(
      b,
      f.parse('d', "SELECT extract(month from '02/01/2020'::date)"),
      f.bind('', 'd'),
      f.execute(''),
      f.sync(),
    ),
  );
  await q(a, 'DISCARD ALL');
  log(
    'C MDY session first parse',
    await ask(
      a,
      f.parse('d2', "SELECT extract(month from '03/01/2020'::date)"),
      f.bind('', 'd2'),
      f.execute(''),
      f.sync(),
    ),
  );
  a.close();
  b.close();
});
await run('cached plan must not change result type', p, async () => {
  const a = await L(),
    b = await L();
  await q(a, 'CREATE TABLE w (id int); INSERT INTO w VALUES (1)');
  log('A', await ask(a, f.parse('s', 'SELECT * FROM w'), f.bind('', 's'), f.execute(''), f.sync()));
  await q(a, 'ALTER TABLE w ADD COLUMN x int');
  log(
    'B fresh',
    await ask(
      b,
      f.parse('s', 'SELECT * FROM w'),
      f.describe('S', 's'),
      f.bind('', 's'),
      f.execute(''),
      f.sync(),
    ),
  );
  log(
    'B close + parse',
    await ask(b, f.close('S', 's'), f.sync()),
    await ask(b, f.parse('s', 'SELECT * FROM w'), f.bind('', 's'), f.execute(''), f.sync()),
  );
  log(
    'B DEALLOCATE',
    await q(b, 'DEALLOCATE s'),
    await ask(b, f.parse('s9', 'SELECT * FROM w'), f.bind('', 's9'), f.execute(''), f.sync()),
  );
  a.close();
  b.close();
});
await run('ROLLBACK prepared in failed tx (pgjdbc)', p, async () => {
  const a = await L(),
    b = await L();
  log('A', await ask(a, f.parse('S_1', 'ROLLBACK'), f.bind('', 'S_1'), f.execute(''), f.sync()));
  await q(b, 'BEGIN');
  await q(b, 'SELECT 1/0');
  log(
    'B rollback',
    await ask(b, f.parse('S_1', 'ROLLBACK'), f.bind('', 'S_1'), f.execute(''), f.sync()),
  );
  log(
    'B again',
    await ask(b, f.parse('S_2', 'ROLLBACK'), f.bind('', 'S_2'), f.execute(''), f.sync()),
  );
  log(await q(b, 'ROLLBACK'));
  a.close();
  b.close();
});
await run('unnamed dropped by our exchange', p, async () => {
  const a = await RawClient.login(p.port, '', { application_name: 'one' }),
    b = await RawClient.login(p.port, '', { application_name: 'two' });
  log('A parse (lib/pq)', await ask(a, f.parse('', 'SELECT 11'), f.describe('S', ''), f.sync()));
  log('B named', await ask(b, f.parse('n', 'SELECT 22'), f.bind('', 'n'), f.execute(''), f.sync()));
  log('A bind', await ask(a, f.bind('', ''), f.execute(''), f.sync()));
  log(
    'self',
    await ask(
      a,
      f.parse('', "SELECT set_config('my.z',$1,false)", [25]),
      f.bind('', '', ['1']),
      f.execute(''),
      f.sync(),
    ),
    await ask(a, f.bind('', '', ['2']), f.execute(''), f.sync()),
  );
  a.close();
  b.close();
});
await run('COPY extended without second Sync: link given back in open tx', p, async () => {
  const a = await L(),
    b = await L();
  a.send(f.parse('', 'COPY t (name) FROM STDIN'), f.bind('', ''), f.execute(''), f.sync());
  log(show(await a.until('G')));
  a.send(f.copyData('fromA\n'), f.copyDone());
  log(show(await a.until('C')));
  await sleep(100);
  log(
    'B sees uncommitted',
    await q(b, "SELECT count(*), (SELECT count(*) FROM t WHERE name='fromA') FROM t; SELECT 1/0"),
  );
  log('A sync', await ask(a, f.sync()));
  log('A data', await q(a, "SELECT count(*) FROM t WHERE name='fromA'"));
  a.close();
  b.close();
});
await run('pg_prepared_statements and hd_ names', p, async () => {
  const a = await L(),
    b = await L();
  log(
    'A',
    await ask(
      a,
      f.parse('x', "SELECT 'secret literal of A'::text"),
      f.bind('', 'x'),
      f.execute(''),
      f.sync(),
    ),
  );
  const r = await q(
    b,
    'SELECT name, statement FROM pg_prepared_statements ORDER BY prepare_time DESC LIMIT 1',
  );
  log('B sees', r);
  const name = r[1].split('|')[0].slice(2);
  log('B executes it', await q(b, `EXECUTE ${name}`));
  log('B deallocates', await q(b, `DEALLOCATE ${name}`));
  log('A again', await ask(a, f.bind('', 'x'), f.execute(''), f.sync()));
  log('A again', await ask(a, f.bind('', 'x'), f.execute(''), f.sync()));
  log(
    'C new',
    await ask(
      await L(),
      f.parse('x', "SELECT 'secret literal of A'::text"),
      f.bind('', 'x'),
      f.execute(''),
      f.sync(),
    ),
  );
  a.close();
  b.close();
});
await p.stop();
