/** Which values of a setting are acceptable; each check sees the values as text, in PostgreSQL's own spellings. */
export type ValueRule = (values: readonly string[]) => boolean;

export const any: ValueRule = () => true;
export const never: ValueRule = () => false;

/** PostgreSQL takes any unique prefix of true, yes, on and 1. Names are compared without case. */
const trueSpellings: ReadonlySet<string> = new Set([
  '1',
  'on',
  ...prefixes('true'),
  ...prefixes('yes'),
]);

export const on: ValueRule = (values) =>
  values.every((value) => trueSpellings.has(value.trim().toLowerCase()));

export function oneOf(...allowed: readonly string[]): ValueRule {
  return (values) => values.every((value) => allowed.includes(value.toLowerCase()));
}

/** Some of these, in one value or several. */
export function listOf(...allowed: readonly string[]): ValueRule {
  return (values) =>
    values.every((value) =>
      value.split(',').every((item) => allowed.includes(item.trim().toLowerCase())),
    );
}

/** PostgreSQL drops everything but letters and digits from the name of an encoding. */
export const utf8: ValueRule = (values) =>
  values.every((value) => {
    return (
      /^[\x20-\x7e]*$/.test(value) &&
      ['utf8', 'unicode'].includes(value.toLowerCase().replace(/[^a-z0-9]/g, ''))
    );
  });

const milliseconds: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const kilobytes: Readonly<Record<string, number>> = {
  B: 1 / 1024,
  kB: 1,
  MB: 1024,
  GB: 1024 ** 2,
  TB: 1024 ** 3,
};

/** A duration; without a unit, milliseconds. */
export function duration(least: string, most: string): ValueRule {
  return quantity(milliseconds, 1, least, most);
}

/** In milliseconds; undefined for what is no duration. */
export function durationMs(value: string): number | undefined {
  const amount = measure(milliseconds, 1, value);
  return Number.isNaN(amount) ? undefined : amount;
}

/** An amount of memory; without a unit, `base` kilobytes. */
export function memory(base: number, most: string): ValueRule {
  return quantity(kilobytes, base, '0', most);
}

export function integer(least: number, most: number): ValueRule {
  return quantity({}, 1, String(least), String(most));
}

function quantity(
  units: Readonly<Record<string, number>>,
  base: number,
  least: string,
  most: string,
): ValueRule {
  const [from, to] = [measure(units, base, least), measure(units, base, most)];
  return (values) =>
    values.every((value) => {
      const amount = measure(units, base, value);
      return amount >= from && amount <= to;
    });
}

/** NaN, which no comparison accepts, for what is not plainly a decimal number with a known unit. */
function measure(units: Readonly<Record<string, number>>, base: number, value: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(value);
  if (!match) return Number.NaN;
  const [, amount = '', unit = ''] = match;
  if (unit === '') return Number(amount) * base;
  return Object.hasOwn(units, unit) ? Number(amount) * (units[unit] ?? Number.NaN) : Number.NaN;
}

/**
 * PostgreSQL's own catalogue is searched first unless the path names it elsewhere, and pg_temp never belongs in a
 * reader's path: both are how an object of somebody else's comes to stand before a built-in of the same name.
 */
export const safeSearchPath: ValueRule = (values) =>
  values
    .join(',')
    .split(',')
    .every((part, index) => {
      const schema = part.toLowerCase();
      return (
        !schema.includes('pg_temp') &&
        (!schema.includes('pg_catalog') || (index === 0 && isCatalogue(schema)))
      );
    });

function isCatalogue(part: string): boolean {
  return /^\s*"?pg_catalog"?\s*$/.test(part);
}

function prefixes(word: string): string[] {
  return Array.from(word, (_letter, index) => word.slice(0, index + 1));
}
