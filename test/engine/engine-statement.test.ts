import { expect, test } from 'vitest';
import { newEngineStatement } from '../../src/engine/pool/engine-statement.ts';

test('a statement that is kept keeps no memory but its own', () => {
  const { parse } = newEngineStatement({ text: 'SELECT $1::int', parameterTypes: [23] });
  expect(parse.buffer.byteLength).toBe(parse.length);
  expect(parse.toString('latin1')).toMatch(/^P.{4}hd_\w+\0SELECT \$1::int\0/s);
});
