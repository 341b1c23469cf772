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
    'Describe behind a Bind that failed, and what it was for': [
      step(f.parse('d', 'SELECT 1'), f.parse('e', "SELECT 2, 'a'"), f.sync()),
      query('BEGIN'),
      step(f.bind('p', 'd'), f.sync()),
      query('SAVEPOINT s'),
      step(f.bind('p', 'e'), f.sync()),
      query('ROLLBACK TO s'),
      step(f.describe('P', 'p'), f.execute('p'), f.sync()),
      query('COMMIT'),
      run('e'),
      'elsewhere',
      run('e'),
    ],
    'Describe of a cursor that took its name': [
      step(f.parse('d', "SELECT 1, 'a'"), f.sync()),
      query('BEGIN'),
      step(f.bind('p', 'd'), f.sync()),
      query('CLOSE p; DECLARE p CURSOR FOR SELECT 2'),
      step(f.describe('P', 'p'), f.execute('p'), f.sync()),
      query('COMMIT'),
      'elsewhere',
      run('d'),
    ],
    'a cursor that took the name of a DEALLOCATE ALL': [
      step(f.parse('d', 'DEALLOCATE ALL'), f.parse('keep', 'SELECT 5'), f.sync()),
      query('BEGIN'),
      step(f.bind('p', 'd'), f.close('P', 'p'), f.sync()),
      query('DECLARE p CURSOR FOR SELECT 1'),
      step(f.execute('p'), f.sync()),
      query('COMMIT'),
      run('keep'),
    ],
    'DEALLOCATE ALL behind a Close that an error discarded': [
      step(f.parse('d', 'DEALLOCATE ALL'), f.parse('e', 'SELECT 1'), f.sync()),
      query('BEGIN'),
      step(f.bind('p', 'd'), f.sync()),
      query('SAVEPOINT s'),
      step(f.execute('nope'), f.close('P', 'p'), f.sync()),
      query('ROLLBACK TO s'),
      step(f.execute('p'), f.sync()),
      query('COMMIT'),
      run('e'),
    ],
    'DEALLOCATE ALL behind a Bind that failed, all in one write': [
      step(f.parse('d', 'DEALLOCATE ALL'), f.parse('e', 'SELECT 1'), f.sync()),
      step(f.parse('r', 'ROLLBACK TO s'), f.sync()),
      query('BEGIN'),
      step(f.bind('p', 'd'), f.sync()),
      query('SAVEPOINT s'),
      step(
        ...[f.bind('p', 'e'), f.sync(), f.bind('r', 'r'), f.execute('r'), f.sync()],
        ...[f.execute('p'), f.sync()],
      ),
      query('COMMIT'),
      run('e'),
    ],
    'EXECUTE of a name that was closed': [
      query('BEGIN'),
      step(f.parse('n1', 'SELECT 99'), f.parse('e', 'EXECUTE n1'), f.bind('p', 'e'), f.sync()),
      step(f.close('S', 'n1'), f.execute('p'), f.sync()),
      query('ROLLBACK'),
    ],
    'EXECUTE of a name that was given to another text': [
      query('BEGIN'),
      step(f.parse('n1', 'SELECT 99'), f.parse('e', 'EXECUTE n1'), f.bind('p', 'e'), f.sync()),
      step(f.close('S', 'n1'), f.parse('n1', 'SELECT 98'), f.sync()),
      step(f.execute('p'), f.sync()),
      query('COMMIT'),
    ],
    'EXECUTE of a name that PREPARE gave to another text': [
      query('BEGIN'),
      step(f.parse('n1', 'SELECT 99'), f.parse('e', 'EXECUTE n1'), f.bind('p', 'e'), f.sync()),
      query('DEALLOCATE n1; PREPARE n1 AS SELECT 98'),
      step(f.execute('p'), f.sync()),
      query('COMMIT'),
    ],
    'EXECUTE of a name of PREPARE that the protocol gave to another text': [
      query('PREPARE n1 AS SELECT 99'),
      query('BEGIN'),
      step(f.parse('e', 'EXECUTE n1'), f.bind('p', 'e'), f.sync()),
      step(f.close('S', 'n1'), f.parse('n1', 'SELECT 98'), f.sync()),
      step(f.execute('p'), f.sync()),
      query('COMMIT'),
    ],
    'FETCH from an EXECUTE': [
      query('BEGIN'),
      step(f.parse('n1', 'SELECT 99'), f.parse('e', 'EXECUTE n1'), f.bind('p', 'e'), f.sync()),
      query('FETCH ALL FROM p'),
      query('COMMIT'),
    ],
    'a PREPARE whose name the protocol gave to another text': [
      step(f.parse('e', 'PREPARE n1 AS SELECT 99'), f.sync()),
      step(f.parse('n1', 'SELECT 98'), f.sync()),
      run('e'),
      run('n1'),
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
    'a Parse without a name that is refused': [
      step(f.parse('', 'SELECT 7'), f.sync()),
      step(failing, f.parse('', 'SELEC 1'), f.sync()),
      run(''),
    ],
    'the same in a batch behind it': [
      step(f.parse('', 'SELEC 1'), f.sync()),
      step(
        ...[f.parse('', 'SELECT 7'), f.sync(), failing, f.parse('', 'SELEC 1'), f.sync()],
        ...[f.bind('', ''), f.execute(''), f.sync()],
      ),
    ],
    'a Query that is refused': [
      step(f.parse('', 'SELECT 7'), f.sync()),
      answeredBy(1, failing, f.query('SELEC 1'), f.sync()),
      run(''),
    ],
    'a Query that is refused, in a transaction': [
      step(f.parse('r', 'ROLLBACK'), f.sync()),
      query('BEGIN'),
      step(f.parse('', 'SELECT 7'), f.sync()),
      answeredBy(1, failing, f.query('SELEC 1'), f.sync()),
      step(f.bind('r', 'r'), f.execute('r'), f.sync()),
      run(''),
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
    'Parse of a name that PREPARE gave': [
      query('PREPARE n AS SELECT 1'),
      step(f.parse('n', 'SELECT 2'), f.sync()),
      query('EXECUTE n'),
    ],
    'Close of a name that PREPARE gave, then Parse of it': [
      query('PREPARE x AS SELECT 1'),
      step(f.close('S', 'x'), f.sync()),
      step(f.parse('x', 'SELECT 2'), f.sync()),
      step(f.close('S', 'x'), f.parse('x', 'SELECT 3'), f.sync()),
      run('x'),
    ],
    'the same in one batch, and in one that fails': [
      query('PREPARE x AS SELECT 1'),
      step(failing, f.close('S', 'x'), f.parse('x', 'SELECT 2'), f.sync()),
      run('x'),
      step(f.close('S', 'x'), f.parse('x', 'SELECT 3'), f.bind('', 'x'), f.execute(''), f.sync()),
      query('EXECUTE x'),
    ],
    'a PREPARE that failed, then Parse of its name': [
      query('PREPARE y AS SELECT nothing'),
      step(f.parse('y', 'SELECT 2'), f.sync()),
      step(f.close('S', 'y'), f.sync()),
      step(f.parse('y', 'SELECT 3'), f.sync()),
      run('y'),
    ],
    'a PREPARE that was never executed': [
      step(f.parse('z', 'PREPARE y AS SELECT 1'), f.bind('', 'z'), f.sync()),
      step(f.parse('y', 'SELECT 3'), f.sync()),
      run('y'),
    ],
    'EXECUTE of what was closed in the batch': [
      step(f.parse('n1', 'SELECT 99'), f.parse('e', 'EXECUTE n1'), f.sync()),
      step(
        ...[f.bind('', 'e'), f.execute(''), f.close('S', 'n1'), f.bind('', 'e'), f.execute('')],
        f.sync(),
      ),
    ],
    'DEALLOCATE in a batch, then Parse of the name': [
      step(f.parse('n2', 'SELECT 99'), f.parse('d', 'DEALLOCATE n2'), f.sync()),
      step(
        ...[f.bind('', 'd'), f.execute(''), f.parse('n2', 'SELECT 98'), f.bind('', 'n2')],
        ...[f.execute(''), f.sync()],
      ),
      run('n2'),
    ],
    'the same with the same text, for an EXECUTE': [
      step(f.parse('n2', 'SELECT 99'), f.parse('d', 'DEALLOCATE n2'), f.sync()),
      step(f.parse('e', 'EXECUTE n2'), f.sync()),
      step(
        ...[f.bind('', 'e'), f.execute(''), f.bind('', 'd'), f.execute('')],
        ...[f.parse('n2', 'SELECT 99'), f.bind('', 'e'), f.execute(''), f.sync()],
      ),
      run('n2'),
    ],
    'DEALLOCATE twice in a batch': [
      step(f.parse('n2', 'SELECT 99'), f.parse('d', 'DEALLOCATE n2'), f.sync()),
      step(f.bind('', 'd'), f.execute(''), f.bind('', 'd'), f.execute(''), f.sync()),
      run('n2'),
    ],
    'DEALLOCATE by an EXECUTE': [
      step(f.parse('n2', 'SELECT 99'), f.parse('d', 'DEALLOCATE n2'), f.sync()),
      query('EXECUTE d'),
      step(f.parse('n2', 'SELECT 98'), f.sync()),
      run('n2'),
    ],
    'DEALLOCATE ALL that was only bound': [
      step(f.parse('d', 'DEALLOCATE ALL'), f.bind('', 'd'), f.sync()),
      query('EXPLAIN EXECUTE d'),
      run('d'),
      run('d'),
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
