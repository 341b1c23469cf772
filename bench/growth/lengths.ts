/** What it costs to read and judge a text, by its length, without a socket. */
import { readonlyAuthority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import { emptyCatalogue } from '../../src/policy/catalogue.ts';
import { startReader } from '../reader.ts';
import { doublings, type Quantity } from './growth.ts';

const longest = 16_384;
/** Bytes that are read for one value, so that long texts take no longer than short ones. */
const bytesPerValue = 400_000;

export async function lengthOfStatements(): Promise<{
  readonly quantity: Quantity;
  readonly close: () => Promise<void>;
}> {
  const reader = await startReader();
  let next = 1_000_000;
  const read = async (text: string): Promise<void> => {
    const classified = await reader.read(Buffer.from(text));
    if (authorize(readonlyAuthority, classified, emptyCatalogue)) throw new Error('refused');
  };
  const usOf = async (length: number, spell: () => string): Promise<number> => {
    const count = Math.ceil(bytesPerValue / length);
    const texts = Array.from({ length: count }, spell);
    const begun = performance.now();
    for (const text of texts) await read(text);
    return ((performance.now() - begun) * 1_000) / count;
  };
  const measure = async (length: number): Promise<Record<string, number>> => {
    // In this order, so that the known one is known.
    const unknown = await usOf(length, () => textOf(length, { name: (next += 1), literal: 7e6 }));
    const known = textOf(length, { name: 1, literal: 1e6 });
    await read(known);
    return {
      new: unknown,
      'new literals': await usOf(length, () => textOf(length, { name: 1, literal: (next += 1) })),
      known: await usOf(length, () => known),
    };
  };
  const quantity: Quantity = {
    name: 'statement-length',
    title: 'Reading and judging a statement, by its length',
    unit: 'bytes',
    expected: 'linear',
    levels: doublings(longest, 6),
    // Code is compiled.
    prepare: async () => void (await measure(1_024)),
    measure,
  };
  return { quantity, close: () => reader.close() };
}

/** Of that length: as many conditions as fit, and spaces. */
function textOf(
  length: number,
  { name, literal }: { readonly name: number; readonly literal: number },
): string {
  const head = `SELECT abalance AS n${name} FROM pgbench_accounts WHERE aid IN (${literal}`;
  const more = ', 1234567';
  const count = Math.floor((length - head.length - 1) / more.length);
  return `${head}${more.repeat(count)})`.padEnd(length);
}
