/** A: statements and portals by their names, in SQL and in the protocol. */
import { MessageWriter } from '../../../src/wire/writer.ts';
import { frontend as f } from '../../fixtures/raw-client.ts';
import { cannot, cannotCall } from '../model.ts';
import type { Row } from '../model.ts';

/** FunctionCall with text arguments. */
function callFunction(oid: number, ...values: readonly string[]): Buffer {
  const writer = new MessageWriter().int32(oid).int16(0).int16(values.length);
  for (const value of values) writer.int32(Buffer.byteLength(value)).text(value);
  return writer.int16(0).finish('F'.charCodeAt(0));
}

const noFunctionCall = '0A000 the FunctionCall message is not supported by HatiData';

/** Built-in functions keep their OIDs: set_config, query_to_xml. */
const setConfig = 2078;

const queryToXml = 2925;

const secret = 'SELECT ssn FROM t WHERE id = 1';

const row = 'D 123-45-0001';

const bindAndRun = (portal: string, statement: string): Buffer[] => [
  ...[f.bind(portal, statement), f.execute(portal), f.sync()],
];

const done = 'C SELECT 1';

/** PostgreSQL's own, until the search path finds another one. */
const shadowed = "SELECT initcap('a'::varchar)";

const shadowing = f.query('SET search_path = evil');

export const objects: readonly Row[] = [
  {
    id: 'A06',
    title: 'FunctionCall',
    cases: [
      ...(['readonly', 'admin'] as const).map((as) => ({
        name: `set_config and query_to_xml, ${as}`,
        as,
        send: [
          callFunction(setConfig, 'default_transaction_read_only', 'off', 'f'),
          callFunction(queryToXml, 'select ssn from t', 't', 't', ''),
        ],
        sees: [noFunctionCall, 'Z I', noFunctionCall, 'Z I'],
      })),
      {
        name: 'in a transaction and in a batch',
        send: [
          f.query('BEGIN'),
          callFunction(setConfig, 'row_security', 'off', 'f'),
          f.query('ROLLBACK'),
        ],
        sees: ['C BEGIN', 'Z T', noFunctionCall, 'Z E', 'C ROLLBACK', 'Z I'],
      },
    ],
  },
  {
    id: 'A07',
    title: 'SQL PREPARE, then Bind of the same name',
    cases: [
      {
        name: 'a read',
        send: [f.query(`PREPARE s AS ${secret}`), ...bindAndRun('', 's')],
        sees: ['C PREPARE', 'Z I', '2', row, done, 'Z I'],
      },
      {
        name: 'a write is refused at PREPARE, and there is nothing to bind',
        send: [f.query('PREPARE d AS DELETE FROM u'), ...bindAndRun('', 'd')],
        sees: [cannot('DELETE'), 'Z I', '26000 prepared statement "d" does not exist', 'Z I'],
      },
      {
        name: 'an unknown name',
        send: bindAndRun('', 'never'),
        sees: ['26000 prepared statement "never" does not exist', 'Z I'],
      },
      {
        name: 'DEALLOCATE ends it for Bind, too',
        send: [f.query(`PREPARE s AS ${secret}`), f.query('DEALLOCATE s'), ...bindAndRun('', 's')],
        sees: [
          'C PREPARE',
          'Z I',
          'C DEALLOCATE',
          'Z I',
          '26000 prepared statement "s" does not exist',
          'Z I',
        ],
      },
    ],
  },
  {
    id: 'A08',
    title: 'Parse, then SQL EXECUTE of the same name',
    cases: [
      {
        name: 'a read',
        send: [f.parse('p1', secret), f.sync(), f.query('EXECUTE p1')],
        sees: ['1', 'Z I', 'T', row, done, 'Z I'],
      },
      {
        name: 'copied into a table',
        send: [f.parse('p1', secret), f.sync(), f.query('CREATE TEMP TABLE z AS EXECUTE p1')],
        sees: ['1', 'Z I', cannot('DDL'), 'Z I'],
      },
      {
        name: 'a write',
        send: [
          f.parse('p2', 'DELETE FROM u'),
          f.sync(),
          f.query('EXECUTE p2'),
          f.query('EXPLAIN ANALYZE EXECUTE p2'),
        ],
        sees: [
          ...[cannot('DELETE'), 'Z I', '26000 prepared statement "p2" does not exist', 'Z I'],
          ...['26000 prepared statement "p2" does not exist', 'Z I'],
        ],
      },
      {
        name: 'a function that has become another one',
        send: [
          ...[f.parse('q', shadowed), f.parse('e', 'EXECUTE q'), f.sync(), ...bindAndRun('', 'e')],
          ...[shadowing, f.query('EXECUTE q'), ...bindAndRun('', 'e')],
        ],
        sees: [
          ...['1', '1', 'Z I', '2', 'D A', done, 'Z I', 'C SET', 'Z I'],
          ...[cannotCall('initcap'), 'Z I', cannotCall('initcap'), 'Z I'],
        ],
      },
    ],
  },
  {
    id: 'A09',
    title: 'SQL DECLARE, then Execute of the portal',
    cases: [
      {
        name: 'a read',
        send: [f.query(`BEGIN; DECLARE c CURSOR FOR ${secret}`), f.execute('c'), f.sync()],
        sees: ['C BEGIN', 'C DECLARE CURSOR', 'Z T', row, done, 'Z T'],
      },
      {
        name: 'a function that is refused',
        send: [
          f.query('DECLARE c CURSOR FOR SELECT f_sd()'),
          f.describe('P', 'c'),
          f.execute('c'),
          f.sync(),
        ],
        sees: [cannotCall('f_sd'), 'Z I', '34000 portal "c" does not exist', 'Z I'],
      },
    ],
  },
  {
    id: 'A10',
    title: 'Bind, then SQL FETCH of the portal',
    cases: [
      {
        name: 'a read',
        send: [f.parse('', secret), f.bind('por', ''), f.flush(), f.query('FETCH ALL FROM por')],
        sees: ['1', '2', 'T', row, 'C FETCH 1', 'Z I'],
      },
      {
        name: 'a write has no portal',
        send: [
          f.query('BEGIN'),
          f.parse('', 'DELETE FROM u'),
          f.bind('por', ''),
          f.sync(),
          f.query('ROLLBACK'),
          f.query('FETCH ALL FROM por'),
        ],
        sees: [
          'C BEGIN',
          'Z T',
          cannot('DELETE'),
          'Z E',
          'C ROLLBACK',
          'Z I',
          '34000 cursor "por" does not exist',
          'Z I',
        ],
      },
      {
        name: 'of what runs a function that has become another one',
        send: [
          ...[f.query(`PREPARE q AS ${shadowed}`), f.parse('e', 'EXECUTE q'), f.sync()],
          ...[f.query('BEGIN'), f.bind('por', 'e'), f.sync(), shadowing],
          ...[f.query('FETCH ALL FROM por'), f.query('ROLLBACK')],
        ],
        sees: [
          ...['C PREPARE', 'Z I', '1', 'Z I', 'C BEGIN', 'Z T', '2', 'Z T', 'C SET', 'Z T'],
          ...[cannotCall('initcap'), 'Z E', 'C ROLLBACK', 'Z I'],
        ],
      },
      {
        name: 'the same, by the protocol',
        send: [
          ...[f.parse('c', `COPY (${shadowed}) TO STDOUT`), f.sync(), f.query('BEGIN')],
          ...[f.bind('por', 'c'), f.sync(), shadowing, f.execute('por'), f.sync()],
          f.query('ROLLBACK'),
        ],
        sees: [
          ...['1', 'Z I', 'C BEGIN', 'Z T', '2', 'Z T', 'C SET', 'Z T'],
          ...[cannotCall('initcap'), 'Z E', 'C ROLLBACK', 'Z I'],
        ],
      },
    ],
  },
  {
    id: 'A11',
    title: 'Execute again, without Describe',
    cases: [
      {
        name: 'rows come without their description',
        send: [f.parse('s', secret), f.sync(), ...bindAndRun('', 's'), ...bindAndRun('', 's')],
        sees: ['1', 'Z I', '2', row, done, 'Z I', '2', row, done, 'Z I'],
      },
    ],
  },
  {
    id: 'A12',
    title: 'the unnamed statement changed in a pipeline',
    cases: [
      {
        name: 'allowed, then refused',
        send: [f.parse('', 'SELECT 1'), f.parse('', 'DELETE FROM u'), ...bindAndRun('', '')],
        sees: ['1', cannot('DELETE'), 'Z I'],
      },
      {
        name: 'refused, then allowed: everything up to Sync is skipped',
        send: [f.parse('', 'DELETE FROM u'), f.parse('', 'SELECT 1'), ...bindAndRun('', '')],
        sees: [cannot('DELETE'), 'Z I'],
      },
      {
        name: 'a refused one leaves none behind',
        send: [
          f.parse('', 'SELECT 1'),
          f.sync(),
          f.parse('', 'DELETE FROM u'),
          f.sync(),
          ...bindAndRun('', ''),
        ],
        sees: [
          '1',
          'Z I',
          cannot('DELETE'),
          'Z I',
          '26000 unnamed prepared statement does not exist',
          'Z I',
        ],
      },
    ],
  },
  {
    id: 'A13',
    title: 'work queued behind a refused message',
    cases: [
      {
        name: 'is thrown away up to Sync, and no further',
        send: [
          ...[f.parse('', 'DROP TABLE u'), f.bind('', ''), f.execute('')],
          f.parse('x', "SELECT set_config('default_transaction_read_only', 'off', false)"),
          ...[
            f.bind('', 'x'),
            f.execute(''),
            f.query('SELECT 2'),
            callFunction(setConfig, 'a.b', 'c', 'f'),
            f.sync(),
          ],
          f.query('SHOW default_transaction_read_only'),
        ],
        sees: [cannot('DDL'), 'Z I', 'T', 'D on', 'C SHOW', 'Z I'],
      },
    ],
  },
  {
    id: 'A14',
    title: 'a Query while a batch is open',
    cases: [
      {
        name: 'servers from 18 on acknowledge it and lose it: refused, and the next one is right',
        send: [
          f.parse('', 'SELECT 1'),
          f.bind('', ''),
          f.execute(''),
          f.query('SELECT 2'),
          f.sync(),
          f.query('SELECT 3'),
        ],
        sees: [
          '1',
          '2',
          'D 1',
          done,
          /^08P01 .*a Query or FunctionCall between/,
          'Z I',
          'Z I',
          'T',
          'D 3',
          done,
          'Z I',
        ],
      },
      {
        name: 'a refused one',
        send: [
          f.parse('', 'SELECT 1'),
          f.bind('', ''),
          f.execute(''),
          f.query('DELETE FROM u'),
          f.sync(),
        ],
        sees: ['1', '2', 'D 1', done, cannot('DELETE'), 'Z I', 'Z I'],
      },
    ],
  },
];
