import { types } from 'pg';
import { expect, test } from 'vitest';
import { renderTable, rowToJson } from '../../src/cli/table.ts';

const { INT4, INT8, TEXT, NUMERIC, BOOL, JSONB, FLOAT8, TIMESTAMPTZ } = types.builtins;

test('columns are aligned, numbers to the right, NULL is visible', () => {
  const columns = [
    { name: 'id', dataTypeID: INT4 },
    { name: 'name', dataTypeID: TEXT },
    { name: 'price', dataTypeID: NUMERIC },
  ];
  const rows = [
    ['1', 'Kettle', '64.50'],
    ['42', '', null],
    ['7', '日本', '1.00'],
  ];
  expect(renderTable(columns, rows).split('\n')).toEqual([
    'id | name   | price',
    '---+--------+------',
    ' 1 | Kettle | 64.50',
    '42 |        |  NULL',
    ' 7 | 日本   |  1.00',
  ]);
});

test('a value cannot write to the terminal or make a row of its own', () => {
  const text = renderTable([{ name: 'a\nb', dataTypeID: TEXT }], [['x\u001B[2J\r\n\ty\u0007']]);
  expect(text.split('\n')).toEqual(['a\\nb', '-'.repeat(19), 'x\\x1b[2J\\r\\n\\ty\\x07']);
});

test('no rows', () => {
  expect(renderTable([{ name: 'n', dataTypeID: INT4 }], [])).toBe('n\n-');
});

test.each<[number, string | null, unknown]>([
  [INT4, '7', 7],
  [INT8, '9007199254740991', 9007199254740991],
  [INT8, '9007199254740993', '9007199254740993'],
  [NUMERIC, '1.10', '1.10'],
  [FLOAT8, '1.5', 1.5],
  [FLOAT8, 'NaN', 'NaN'],
  [BOOL, 't', true],
  [BOOL, 'f', false],
  [JSONB, '{"a":[1]}', { a: [1] }],
  [TEXT, '7', '7'],
  [TIMESTAMPTZ, '2026-01-02 03:04:05+00', '2026-01-02 03:04:05+00'],
  [TEXT, null, null],
])('type %i, %j as JSON', (dataTypeID, value, expected) => {
  expect(rowToJson([{ name: 'v', dataTypeID }], [value])).toEqual({ v: expected });
});
