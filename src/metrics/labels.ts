/** From what the parts count to values with their labels. */
import { errorRegistry, type ErrorCode } from '../errors.ts';
import { actions } from './judgement-meter.ts';
import type { Latencies } from './latencies.ts';
import type { Labels } from './read-metric.ts';
import type { Tally } from './tally.ts';

export function* labelled<T>(name: string, entries: Iterable<readonly [string, T]>) {
  for (const [value, content] of entries) yield [{ [name]: value }, content] as const;
}

export function* byCode(tally: Tally<ErrorCode>): Iterable<readonly [Labels, number]> {
  for (const [code, count] of tally.entries())
    yield [{ code, blame: errorRegistry[code].blame }, count];
}

export function* judged(
  counts: ReadonlyMap<string, readonly number[]>,
): Iterable<readonly [Labels, number]> {
  for (const [name, byAction] of counts) {
    for (const [index, decision] of actions.entries())
      yield [{ class: name, decision }, byAction[index] ?? 0];
  }
}

export function hitsAndMisses(
  counts: { readonly hits: number; readonly misses: number } | undefined,
) {
  return (
    counts &&
    labelled('result', [
      ['hit', counts.hits],
      ['miss', counts.misses],
    ])
  );
}

export function* stepsByName(
  steps: ReadonlyMap<string, Latencies>,
): Iterable<readonly [string, Latencies]> {
  for (const [name, latencies] of steps) yield [name.replace(/Step$/, ''), latencies];
}

export function asNumber(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

/** Messages that a client may send, by their type byte. */
const messageNames: Readonly<Record<string, string>> = {
  Q: 'query',
  P: 'parse',
  B: 'bind',
  D: 'describe',
  E: 'execute',
  C: 'close',
  S: 'sync',
  H: 'flush',
  d: 'copy_data',
  c: 'copy_done',
  f: 'copy_fail',
  F: 'function_call',
  X: 'terminate',
};

export function messageCounts(messages: Float64Array): Map<string, number> {
  const counts = new Map(Object.values(messageNames).map((name) => [name, 0]));
  counts.set('other', 0);
  for (const [type, count] of messages.entries()) {
    const name = messageNames[String.fromCharCode(type)] ?? 'other';
    counts.set(name, counts.get(name)! + count);
  }
  return counts;
}
