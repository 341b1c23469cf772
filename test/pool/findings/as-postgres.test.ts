/** Orders of messages in which the proxy once answered otherwise than PostgreSQL: the same script is played to both. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { frontend as f } from '../../fixtures/raw-client.ts';
import { answeredBy, query, run, Stage, step, whole, type Step, type Turn } from './stage.ts';

// A client that waits for an answer that never comes is what most of these once were.
vi.setConfig({ testTimeout: 20_000 });

let stage: Stage;

beforeAll(async () => {
  stage = await Stage.open(2, 'CREATE TABLE t (i int); CREATE TABLE u (i int)');
});
afterAll(() => stage.close());

function areAnsweredAlike(cases: Readonly<Record<string, readonly (Step | Turn)[]>>): void {
  test.each(Object.entries(cases))('%s', async (_, script) => {
    expect(await stage.atProxy([query('TRUNCATE t, u'), ...script])).toEqual(
      await stage.atPostgres([query('TRUNCATE t, u'), ...script]),
    );
  });
}

const failing = f.execute('nope');
const inserted = [f.bind('', 'ins'), f.execute(''), f.sync()];
const insert = f.parse('ins', 'INSERT INTO u VALUES (1)');
const copy = 'COPY t FROM STDIN';
const copyFail = Buffer.from([0x66, 0, 0, 0, 7, 0x6e, 0x6f, 0]);
const isCopied = query('SELECT count(*) FROM t');
const isInserted = query('SELECT count(*) FROM u');

describe('what is sent behind a Sync, in one write', () => {
  areAnsweredAlike({
    'a COPY and its data': [
      step(f.parse('', 'SELECT 1'), f.sync(), f.query(copy), f.copyData('1\n'), f.copyDone()),
      isCopied,
    ],
    'a COPY behind a statement with a name': [
      step(f.parse('n2', 'SELECT 1'), f.sync(), f.query(copy), f.copyData('1\n'), f.copyDone()),
      isCopied,
    ],
    'Execute of a portal that the Sync ended': [
      step(f.parse('', 'SELECT 1'), f.bind('', ''), f.sync(), f.execute(''), f.sync()),
      query('SELECT 2'),
      whole('', 'SELECT 3'),
    ],
    'Bind of the unnamed statement': [
      step(f.parse('', 'SELECT 1'), f.sync(), f.bind('', ''), f.execute(''), f.sync()),
    ],
  });
});

describe('a portal of a transaction, executed behind a Sync', () => {
  areAnsweredAlike({
    'DEALLOCATE ALL': [
      query('BEGIN'),
      step(f.parse('d', 'DEALLOCATE ALL'), f.bind('p', 'd'), f.sync()),
      step(f.execute('p'), f.sync()),
      query('COMMIT'),
      step(f.parse('d', 'SELECT 2'), f.sync()),
    ],
    'DEALLOCATE ALL behind a Bind that failed': [
      step(f.parse('d', 'DEALLOCATE ALL'), f.parse('e', 'SELECT 1'), f.sync()),
      query('BEGIN'),
      step(f.bind('p', 'd'), f.sync()),
      query('SAVEPOINT s'),
      step(f.bind('p', 'e'), f.sync()),
      query('ROLLBACK TO s'),
      step(f.execute('p'), f.sync()),
      query('COMMIT'),
      run('e'),
    ],
    'COPY, its data in the same write': [
      query('BEGIN'),
      step(f.parse('', copy), f.bind('p', ''), f.sync()),
      step(f.execute('p'), f.copyData('5\n'), f.copyDone(), f.sync()),
      query('COMMIT'),
      isCopied,
    ],
    'COPY with the Sync before the data, as libpq does it': [
      query('BEGIN'),
      step(f.parse('', copy), f.bind('p', ''), f.sync()),
      answeredBy('G', f.execute('p'), f.sync()),
      step(f.copyData('5\n'), f.copyDone(), f.sync()),
      query('COMMIT'),
      isCopied,
    ],
    'COPY behind a Bind that failed': [
      step(f.parse('c', copy), f.parse('e', 'SELECT 1'), f.sync()),
      query('BEGIN'),
      step(f.bind('p', 'c'), f.sync()),
      query('SAVEPOINT s'),
      step(f.bind('p', 'e'), f.sync()),
      query('ROLLBACK TO s'),
      step(f.execute('p'), f.copyData('5\n'), f.copyDone(), f.sync()),
      query('COMMIT'),
      isCopied,
    ],
    EXECUTE: [
      query('BEGIN'),
      step(f.parse('n1', 'SELECT 99'), f.parse('e', 'EXECUTE n1'), f.bind('p', 'e'), f.sync()),
      step(f.execute('p'), f.sync()),
      query('COMMIT'),
    ],
  });
});

describe('what an error discards did not happen', () => {
  areAnsweredAlike({
    'Parse, used in the next batch': [step(failing, insert, f.sync(), ...inserted), isInserted],
    'two of them': [
      step(
        ...[f.describe('P', 'nope'), insert, f.parse('x', 'SELECT 1'), f.sync()],
        ...[...inserted, f.bind('', 'x'), f.execute(''), f.sync()],
      ),
      isInserted,
    ],
    'Parse, then Parse of its name': [
      step(failing, f.parse('n', 'SELECT 1'), f.sync(), f.parse('n', 'SELECT 2'), f.sync()),
      run('n'),
    ],
    'a Parse that failed, then one of its name': [
      step(f.parse('n', 'SELECT nothing'), f.sync(), f.parse('n', 'SELECT 1'), f.sync()),
    ],
    'two that were discarded, then both names again': [
      step(
        ...[failing, f.parse('n', 'SELECT 1'), f.parse('m', 'SELECT 2'), f.sync()],
        ...[f.parse('n', 'SELECT 3'), f.parse('m', 'SELECT 4'), f.sync()],
      ),
      run('n'),
      run('m'),
    ],
    Close: [
      step(f.parse('n', 'SELECT 1'), f.sync()),
      step(failing, f.close('S', 'n'), f.sync(), f.bind('', 'n'), f.execute(''), f.sync()),
    ],
    'two of them, then one of the names again': [
      step(f.parse('n', 'SELECT 1'), f.parse('m', 'SELECT 2'), f.sync()),
      step(
        ...[failing, f.close('S', 'n'), f.close('S', 'm'), f.sync()],
        ...[f.parse('n', 'SELECT 3'), f.sync(), f.bind('', 'm'), f.execute(''), f.sync()],
      ),
    ],
    'Query, and one that EXECUTEs': [
      step(insert, f.sync()),
      answeredBy(1, failing, f.query('SELECT 1'), f.query('EXECUTE ins'), f.sync()),
      isInserted,
    ],
    'Query, and what comes later': [
      answeredBy(
        1,
        f.parse('ok', 'SELECT 1'),
        f.describe('P', 'nope'),
        f.query('SELECT 2'),
        f.sync(),
      ),
      step(f.parse('n2', 'SELECT 2'), f.sync()),
      run('n2'),
      run('ok'),
    ],
  });
});

describe('COPY in that fails', () => {
  const failed = [f.copyData('2\n'), f.sync(), copyFail];
  areAnsweredAlike({
    'by a bad row, with a Sync and CopyFail behind it': [
      answeredBy('G', f.query(copy)),
      answeredBy(3, f.copyData('bad\n'), f.sync(), copyFail, f.query('SELECT 1')),
    ],
    'by a bad row, with a Sync and CopyDone behind it': [
      answeredBy('G', f.query(copy)),
      answeredBy(3, f.copyData('bad\n'), f.sync(), f.copyDone(), f.query('SELECT 1')),
    ],
    'by CopyFail behind a Sync': [answeredBy(1, f.query(copy), ...failed), isCopied],
    'by CopyFail behind a Sync, in a batch': [
      answeredBy(1, f.parse('', copy), f.bind('', ''), f.execute(''), ...failed, f.sync()),
      isCopied,
    ],
    'by CopyFail, with a statement before the Sync of the batch': [
      step(insert, f.sync()),
      answeredBy(
        1,
        f.parse('', copy),
        f.bind('', ''),
        f.execute(''),
        ...failed,
        f.bind('', 'ins'),
        f.execute(''),
        f.sync(),
      ),
      isInserted,
    ],
  });
});

describe('statements by name', () => {
  areAnsweredAlike({
    'EXECUTE of a name that was closed and prepared again in its batch': [
      step(
        ...[f.parse('n', "SELECT 'old'"), f.parse('e', 'EXECUTE n'), f.bind('', 'e')],
        ...[f.execute(''), f.close('S', 'n'), f.parse('n', "SELECT 'new'"), f.bind('', 'e')],
        ...[f.execute(''), f.sync()],
      ),
    ],
    'an error calls them as the client does': [
      step(f.parse('n', 'SELECT 1'), f.sync()),
      step(f.bind('', 'n', ['5']), f.sync()),
      step(f.bind('', 'unheard'), f.sync()),
      step(f.parse('n', 'SELECT 2'), f.sync()),
      step(f.describe('S', 'unheard'), f.sync()),
    ],
    'the unnamed one is gone behind a Query that fails': [
      step(f.parse('', 'SELECT 2'), f.sync()),
      query('EXECUTE nope'),
      run(''),
    ],
    'the unnamed one is gone behind a Query that is no SQL': [
      step(f.parse('', 'SELECT 2'), f.sync()),
      query('this is no SQL'),
      run(''),
    ],
  });
});
