/** What real clients send, message by message: the frames that are mutated. */
import { frontend } from '../../test/fixtures/raw-client.ts';

const { query, parse, bind, describe, execute, close, sync, flush } = frontend;
const read = 'SELECT id, name FROM fuzzed ORDER BY id';

/** Each is a session after login. The answers to all of them are the same every time. */
export const recorded: Readonly<Record<string, readonly Buffer[]>> = {
  'psql, one statement': [query('SELECT 1')],
  'psql, several': [query("SELECT 1; SELECT 'two'; SELECT 3.0"), query(''), query(read)],
  'a refused statement, and on': [query('DELETE FROM fuzzed'), query('SELECT 2')],
  'a refused statement in a transaction': [
    query('BEGIN'),
    query(read),
    query('DROP TABLE fuzzed'),
    query('SELECT 1'),
    query('ROLLBACK'),
  ],
  'a syntax error': [query('SELEC 1'), query("SELECT 'é', '💧', E'\\\\n'")],
  'one text of reads and a write': [query('SELECT 1; DELETE FROM fuzzed; SELECT 2')],
  'extended, unnamed': [
    ...[parse('', read), bind('', ''), describe('P', ''), execute(''), sync()],
    ...[parse('', 'SELECT $1::int + 1', [23]), bind('', '', ['41']), execute(''), sync()],
  ],
  'extended, named': [
    ...[parse('s1', 'SELECT $1::text'), describe('S', 's1'), sync()],
    ...[bind('p1', 's1', ['x']), execute('p1'), bind('p2', 's1', [null], true), execute('p2')],
    ...[close('P', 'p1'), close('S', 's1'), sync()],
  ],
  'extended, in pieces': [
    ...[query('BEGIN'), parse('', read), bind('c', ''), execute('c', 1), flush()],
    ...[execute('c', 1), execute('c', 0), sync(), query('COMMIT')],
  ],
  'extended, refused': [
    ...[parse('', 'UPDATE fuzzed SET name = 1'), bind('', ''), execute(''), sync()],
    ...[parse('', 'SELECT 1'), bind('', ''), execute(''), sync()],
  ],
  'extended, an error skips to Sync': [
    ...[parse('', 'SELECT 1/0'), bind('', ''), execute(''), query('SELECT 1'), execute(''), sync()],
    ...[sync(), bind('', 'nowhere'), parse('', 'SELECT 1'), sync()],
  ],
  'a pipeline of three': [
    ...[parse('', 'SELECT 1'), bind('', ''), execute(''), sync()],
    ...[parse('', 'DELETE FROM fuzzed'), bind('', ''), execute(''), sync()],
    ...[parse('', 'SELECT 3'), bind('', ''), execute(''), sync()],
  ],
  'COPY out': [query('COPY fuzzed TO STDOUT'), query('COPY (SELECT 1) TO STDOUT WITH CSV')],
  'COPY in, refused': [
    query('COPY fuzzed FROM STDIN'),
    ...[frontend.copyData('1\tx\n'), frontend.copyDone()],
    query('SELECT 1'),
  ],
  FunctionCall: [frontend.functionCall(1), query('SELECT 1')],
  'settings and own parameters': [
    query("SET search_path = main, public; SET work_mem = '8MB'"),
    query("SET hatidata_agent_id = 'other'"),
    query('SHOW hatidata_agent_id'),
    query('SET default_transaction_read_only = off'),
    query('RESET ALL'),
    query('DISCARD ALL'),
  ],
  'our own functions': [
    query("SELECT create_api_key('x', 'admin')"),
    ...[parse('', 'SELECT revoke_api_key($1)'), bind('', '', ['x']), execute(''), sync()],
    query('SELECT * FROM _hatidata_keys.active_keys'),
  ],
  'SQL cursors and PREPARE': [
    query('PREPARE q AS SELECT 1; EXECUTE q'),
    query('BEGIN; DECLARE c CURSOR FOR SELECT id FROM fuzzed; FETCH 2 FROM c; CLOSE c; COMMIT'),
    query('PREPARE d AS DELETE FROM fuzzed'),
    query('DEALLOCATE ALL'),
  ],
  'a long text': [query(`SELECT '${'x'.repeat(3000)}'`), query(`SELECT ${'1+'.repeat(300)}1`)],
};

const packet = (code: number, body = Buffer.alloc(0)): Buffer => {
  const head = Buffer.alloc(8);
  head.writeInt32BE(8 + body.length, 0);
  head.writeInt32BE(code, 4);
  return Buffer.concat([head, body]);
};

/** What comes before a session; the key is the password. */
export function greetings(key: string): Readonly<Record<string, readonly Buffer[]>> {
  const start = frontend.startup({ user: 'agent', database: 'hatidata' });
  const password = frontend.password(key);
  return {
    'startup and key': [start, password],
    'all at once': [start, password, query('SELECT 1')],
    'SSLRequest first': [packet(80877103), start, password],
    'GSSENCRequest first': [packet(80877104), packet(80877103), start, password],
    'newer minor version': [
      frontend.startup({ user: 'a', '_pq_.test': '1', client_encoding: 'UTF8' }, 2),
      password,
    ],
    options: [
      frontend.startup({ user: 'a', options: '-c work_mem=4MB --enable-seqscan=off' }),
      password,
    ],
    'refused options': [frontend.startup({ user: 'a', options: '-c role=postgres' }), password],
    replication: [frontend.startup({ user: 'a', replication: 'database' }), password],
    cancel: [packet(80877102, Buffer.from([0, 0, 0, 1, 1, 2, 3, 4]))],
    'wrong key': [start, frontend.password(`${key.slice(0, -1)}!`)],
  };
}
