/** Every row of the catalogue is in a table, once; what it asks of capabilities that are not there is said by name. */
import { expect, test } from 'vitest';
import { notYet } from './not-yet.ts';
import { nameOf } from './run-rows.ts';
import { sections } from './sections.ts';

const rows = Object.values(sections).flat();
const counts = { A: 41, B: 31, C: 20, D: 23, G: 18, I: 12 };
const ids = Object.entries(counts).flatMap(([section, count]) =>
  Array.from({ length: count }, (_, i) => `${section}${String(i + 1).padStart(2, '0')}`),
);

test('every id is in a table', () => {
  // A key that expires is all of G02.
  const wholly = ['G02'];
  const expected = [...ids.filter((id) => !wholly.includes(id)), 'H'];
  // Floods and memory are in a table of their own.
  expect([...new Set(rows.map(({ id }) => id))].toSorted()).toEqual(expected.toSorted());
  expect(rows.length).toBe(expected.length);
  for (const id of wholly) expect(notYet.map((each) => each.id)).toContain(id);
});

test('every row has cases, each with a name of its own', () => {
  for (const { id, cases } of rows) {
    expect(cases.length, id).toBeGreaterThan(0);
    const names = cases.map((each) => `${each.as ?? 'readonly'} ${nameOf(each)}`);
    expect(
      names.filter((name, at) => names.indexOf(name) !== at),
      id,
    ).toEqual([]);
  }
});

test('what is not there yet is a part of a row that is', () => {
  expect(notYet.length).toBeGreaterThan(0);
  for (const { id, what, because } of notYet) {
    expect([...ids, 'A–D'], what).toContain(id);
    expect(because).not.toBe('');
  }
});
