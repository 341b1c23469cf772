/** What is remembered of a text must not keep the catalogues that it was judged by: there is a new one with every definition. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, expect, test } from 'vitest';
import { readonlyAuthority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import { emptyCatalogue } from '../../src/policy/catalogue.ts';
import { sessionUse } from '../../src/policy/session-use.ts';
import { StatementReader } from '../../src/sql/reader.ts';
import type { ClassifiedText } from '../../src/sql/statement.ts';

const reader = new StatementReader({
  cacheBytes: 1 << 20,
  statementBytes: 1 << 20,
  workers: 1,
  deadlineMs: 5_000,
});
beforeAll(async () => {
  await reader.start();
  return () => reader.close();
});

test('texts let old catalogues go', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const texts: ClassifiedText[] = [];
  const catalogues: WeakRef<object>[] = [];
  for (let n = 0; n < 20; n += 1) {
    const text = await reader.read(Buffer.from(`SELECT a${n}`));
    const catalogue = { ...emptyCatalogue };
    expect(authorize(readonlyAuthority, text, catalogue)).toBe(undefined);
    sessionUse(text, { catalogue, searched: undefined });
    catalogues.push(new WeakRef(catalogue));
    texts.push(text);
  }
  // A WeakRef keeps what it names until the turn is over.
  await new Promise((resolve) => setTimeout(resolve, 10));
  collect();
  expect(catalogues.filter((each) => each.deref() !== undefined).length).toBeLessThan(5);
  expect(texts.length).toBe(20);
});
