import { expect, test } from 'vitest';
import { isWholeBatch } from '../../src/wire/whole-batch.ts';
import { frontend as f } from '../fixtures/raw-client.ts';

const describePortal = f.describe('P', '');
const portalOfName = f.bind('named', '');

test.each<[string, Buffer[], boolean]>([
  ['a Query', [f.query('SELECT 1')], true],
  ['two', [f.query('SELECT 1'), f.query('SELECT 1')], false],
  ['Bind, Execute, Sync', [f.bind('', 's'), f.execute(''), f.sync()], true],
  ['with Describe', [f.bind('', 's'), describePortal, f.execute(''), f.sync()], true],
  ['with Parse', [f.parse('', 'SELECT 1'), f.bind('', ''), f.execute(''), f.sync()], true],
  [
    'all four',
    [f.parse('', 'SELECT 1'), f.bind('', ''), describePortal, f.execute(''), f.sync()],
    true,
  ],
  ['a named Parse', [f.parse('s', 'SELECT 1'), f.bind('', 's'), f.execute(''), f.sync()], false],
  ['a named portal', [portalOfName, f.execute('named'), f.sync()], false],
  ['another portal than the bound one', [f.bind('', 's'), f.execute('other'), f.sync()], false],
  [
    'Describe of a statement',
    [f.bind('', 's'), f.describe('S', ''), f.execute(''), f.sync()],
    false,
  ],
  ['a row limit', [f.bind('', 's'), f.execute('', 5), f.sync()], false],
  ['no Sync', [f.bind('', 's'), f.execute('')], false],
  ['no Execute', [f.bind('', 's'), f.sync()], false],
  ['Execute twice', [f.bind('', 's'), f.execute(''), f.execute(''), f.sync()], false],
  ['something behind it', [f.bind('', 's'), f.execute(''), f.sync(), f.query('SELECT 1')], false],
  ['a Query in it', [f.bind('', 's'), f.query('SELECT 1')], false],
  ['Sync alone', [f.sync()], false],
  ['a long one', [f.query(`SELECT '${'x'.repeat(20_000)}'`)], false],
  ['nothing', [], false],
])('%s', (_, messages, isOne) => {
  const bytes = Buffer.concat(messages);
  expect(isWholeBatch(bytes)).toBe(isOne);
  // A part of it is not whole.
  for (let end = 0; end < Math.min(bytes.length, 200); end += 1)
    if (isOne) expect(isWholeBatch(bytes.subarray(0, end))).toBe(false);
});

test('lengths that lie', () => {
  const lie = Buffer.from(f.query('SELECT 1'));
  for (const length of [0, 3, 4, 0x7fff_ffff, 0xffff_ffff]) {
    lie.writeUInt32BE(length, 1);
    expect(isWholeBatch(lie)).toBe(false);
  }
});
