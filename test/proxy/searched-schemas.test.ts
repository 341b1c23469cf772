import { beforeAll, expect, test } from 'vitest';
import { emptyCatalogue } from '../../src/policy/catalogue.ts';
import { SearchedSchemas } from '../../src/proxy/searched-schemas.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { loadParser } from '../../src/sql/parse.ts';

beforeAll(loadParser);

const setting = (schema: string) => analyse(`SET search_path = ${schema}`);

test('every schema that was ever on the path is searched', () => {
  const searched = new SearchedSchemas([['search_path', 'first']], undefined);
  expect(searched.after(setting('second'), emptyCatalogue)).toContain('second');
  expect(searched.within(emptyCatalogue)).not.toContain('second');
  searched.add(setting('second'));
  searched.add(setting('third'));
  expect([...searched.within(emptyCatalogue)!]).toEqual(
    expect.arrayContaining(['first', 'second', 'third']),
  );
});

test('after very many of them, all schemas are, and no more is remembered', () => {
  const searched = new SearchedSchemas([], 'first');
  for (let n = 0; n < 199; n += 1) searched.add(setting(`s${n}`));
  expect(searched.within(emptyCatalogue)).toContain('s0');
  searched.add(setting('one_more'));
  expect(searched.within(emptyCatalogue)).toBeUndefined();
  expect(searched.after(setting('another'), emptyCatalogue)).toBeUndefined();
});
