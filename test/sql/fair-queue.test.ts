import { describe, expect, test } from 'vitest';
import { FairQueue } from '../../src/sql/fair-queue.ts';

interface Item {
  readonly source: string;
  readonly text: string;
}

const item = (source: string, text: string): Item => ({ source, text });

function filled(...items: readonly Item[]): FairQueue<Item> {
  const queue = new FairQueue<Item>(1000);
  for (const one of items) queue.add(one);
  return queue;
}

function drained(queue: FairQueue<Item>): string[] {
  const texts: string[] = [];
  for (let next = queue.shift(); next; next = queue.shift()) texts.push(next.text);
  expect(queue.isEmpty).toBe(true);
  return texts;
}

describe('sources take turns', () => {
  test('however many texts one has', () => {
    const flood = ['a1', 'a2', 'a3', 'a4'].map((text) => item('a', text));
    expect(drained(filled(...flood, item('b', 'b1'), item('c', 'c1'), item('b', 'b2')))).toEqual([
      ...['a1', 'b1', 'c1'],
      ...['a2', 'b2'],
      ...['a3', 'a4'],
    ]);
  });

  test('and who was just served goes behind who was waiting', () => {
    const queue = filled(item('a', 'a1'), item('b', 'b1'));
    expect(queue.shift()?.text).toBe('a1');
    queue.add(item('a', 'a2'));
    queue.add(item('b', 'b2'));
    expect(drained(queue)).toEqual(['b1', 'a2', 'b2']);
  });

  test('what is taken back keeps nobody waiting', () => {
    const [gone, stays] = [item('a', 'a1'), item('b', 'b1')];
    const queue = filled(gone, stays);
    expect(queue.delete(gone)).toBe(true);
    expect(queue.delete(gone)).toBe(false);
    expect(drained(queue)).toEqual(['b1']);
  });
});

describe('room', () => {
  test('one source has a quarter of it', () => {
    const queue = new FairQueue<Item>(40);
    const ten = 'x'.repeat(10);
    queue.add(item('a', ten));
    expect(queue.hasRoomFor(item('a', 'x'))).toBe(false);
    expect(queue.hasRoomFor(item('b', ten))).toBe(true);
    queue.shift();
    expect(queue.hasRoomFor(item('a', ten))).toBe(true);
  });

  test('all together have no more than the whole', () => {
    const queue = new FairQueue<Item>(40);
    for (const source of ['a', 'b', 'c', 'd']) queue.add(item(source, 'x'.repeat(10)));
    expect(queue.hasRoomFor(item('e', 'x'))).toBe(false);
  });
});
