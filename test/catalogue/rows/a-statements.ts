/** A: where a statement and a transaction begin and end. */
import { frontend as f } from '../../fixtures/raw-client.ts';
import { all, cannot, cannotSet } from '../model.ts';
import type { Row } from '../model.ts';
import { extended } from '../run-rows.ts';

export const statements: readonly Row[] = [
  {
    id: 'A01',
    title: 'stacked statements',
    cases: [
      ...all(
        cannot('DELETE'),
        'SELECT 1; DELETE FROM u',
        'DELETE FROM u; SELECT 1',
        'SELECT 1;;; DELETE FROM u;',
        'SELECT 1; /* ; */ DELETE FROM u -- ;',
      ),
      ...all(
        cannot('DDL'),
        'SELECT 1; SELECT 2; DROP TABLE u',
        'BEGIN; SELECT 1; TRUNCATE u; COMMIT',
      ),
      { text: 'SELECT 1; SELECT 2', rows: ['1', '2'], simpleOnly: true },
    ],
  },
  {
    id: 'A02',
    title: 'escaping a wrapper',
    cases: all(
      cannot('DDL'),
      'COMMIT; DROP SCHEMA main CASCADE',
      'COMMIT; BEGIN; DROP SCHEMA public CASCADE; COMMIT',
    ),
  },
  {
    id: 'A03',
    title: 'escaping a wrapper by the other ways out of a transaction',
    cases: [
      ...[
        'ROLLBACK',
        'END',
        'ABORT',
        'COMMIT AND CHAIN',
        'ROLLBACK AND CHAIN',
        'COMMIT; BEGIN',
      ].flatMap((out) => all(cannot('DELETE'), `${out}; DELETE FROM u`)),
      {
        name: 'in messages of their own',
        send: ['BEGIN READ ONLY', 'ROLLBACK AND CHAIN', 'COMMIT', 'DELETE FROM u'].map(f.query),
        sees: ['C BEGIN', 'Z T', 'C ROLLBACK', 'Z T', 'C COMMIT', 'Z I', cannot('DELETE'), 'Z I'],
      },
    ],
  },
  {
    id: 'A04',
    title: 'asking for a writable transaction',
    cases: [
      ...all(
        cannot('BEGIN READ WRITE'),
        'BEGIN READ WRITE',
        'BEGIN ISOLATION LEVEL SERIALIZABLE, READ WRITE',
      ),
      ...all(cannot('START TRANSACTION READ WRITE'), 'START TRANSACTION READ WRITE'),
      ...all(
        cannot('SET TRANSACTION READ WRITE'),
        'SET TRANSACTION READ WRITE',
        'BEGIN; SET TRANSACTION READ WRITE',
        'BEGIN; SET TRANSACTION READ ONLY, READ WRITE',
      ),
      ...all(cannot('BEGIN READ WRITE'), 'BEGIN READ ONLY, READ WRITE'),
    ],
  },
  {
    id: 'A05',
    title: 'characteristics of the session, then a second message',
    cases: [
      ...all(
        cannot('SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'),
        'SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE',
        'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE',
      ),
      {
        name: 'and then the DELETE',
        send: [
          f.query('SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'),
          f.query('DELETE FROM u'),
        ],
        sees: [
          cannot('SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE'),
          'Z I',
          cannot('DELETE'),
          'Z I',
        ],
      },
    ],
  },
  {
    id: 'A15',
    title: 'several statements in one Parse',
    cases: [
      {
        name: 'harmless ones',
        send: extended('SELECT 1; SELECT 2'),
        sees: ['42601 cannot insert multiple commands into a prepared statement', 'Z I'],
      },
      {
        name: 'one that is not',
        send: extended('SELECT 1; DELETE FROM u'),
        sees: [cannot('DELETE'), 'Z I'],
      },
      {
        name: 'one and an empty one',
        send: extended('SELECT 1;;'),
        sees: ['1', '2', 'T', 'D 1', 'C SELECT 1', 'Z I'],
      },
    ],
  },
  {
    id: 'A16',
    title: 'empty forms',
    cases: ['', ';', ';;', ' \n\t', '-- x', '/* */', '/* /* */ */ -- x'].flatMap((text) => [
      { name: `simple ${JSON.stringify(text)}`, send: [f.query(text)], sees: ['I', 'Z I'] },
      {
        name: `extended ${JSON.stringify(text)}`,
        send: extended(text),
        sees: ['1', '2', 'n', 'I', 'Z I'],
      },
    ]),
  },
  {
    id: 'A39',
    title: 'comments that route',
    cases: [
      ...all(
        cannot('DELETE'),
        '/* pgdog_role: primary */ DELETE FROM u',
        '/*NO LOAD BALANCE*/ DELETE FROM u',
        '/* hatidata: admin */ DELETE FROM u',
        "/*dddbs='x',traceparent='y'*/ DELETE FROM u",
      ),
      { text: '/* pgdog_role: primary */ SELECT current_user', rows: ['hatidata_reader'] },
      { text: '/*FORCE_MASTER*/ SHOW default_transaction_read_only', rows: ['on'] },
      ...all(cannotSet('role'), "/*+ admin */ SELECT set_config('role', 'hatidata_writer', false)"),
    ],
  },
];
