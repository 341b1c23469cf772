import { z } from 'zod';

export const defaultLimit = 50;
export const mostLimit = 200;

/** Digits only, where JavaScript also takes 1e2, 0x10 and blanks for numbers. */
function wholeNumber(text: unknown): unknown {
  return typeof text === 'string' && /^-?\d+$/.test(text) ? Number(text) : text;
}

/** Of every list. */
export const pageQuery = {
  limit: z
    .preprocess(
      wholeNumber,
      z.int('must be a whole number').min(1).max(mostLimit).default(defaultLimit),
    )
    .describe('How many at the most'),
  cursor: z
    .string()
    .regex(/^cur_[A-Za-z0-9_-]{1,400}$/)
    .optional()
    .describe('`pagination.cursor` of the page before'),
};

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({
    data: z.array(item),
    pagination: z.object({
      cursor: z.string().nullable().describe('For the next page; null on the last one'),
      has_more: z.boolean(),
      total: z.int(),
    }),
  });
}

export interface Page<T> {
  data: T[];
  pagination: { cursor: string | null; has_more: boolean; total: number };
}

/** Where a page begins: behind the element with these values of what the list is sorted by. */
export type Position = readonly string[];

/** Undefined for one that we did not make. */
export function readCursor(cursor: string, length: number): Position | undefined {
  try {
    const text = Buffer.from(cursor.slice('cur_'.length), 'base64url').toString('utf8');
    const value: unknown = JSON.parse(text);
    const isOurs =
      Array.isArray(value) &&
      value.length === length &&
      value.every((each) => typeof each === 'string');
    return isOurs ? value : undefined;
  } catch {
    return undefined;
  }
}

export function writeCursor(position: Position): string {
  return `cur_${Buffer.from(JSON.stringify(position)).toString('base64url')}`;
}

/** @param rows one more than `limit`, where there are more. */
export function pageFrom<Row, T>(
  rows: readonly Row[],
  {
    limit,
    total,
    item,
    position,
  }: {
    readonly limit: number;
    readonly total: number;
    readonly item: (row: Row) => T;
    readonly position: (row: Row) => Position;
  },
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const hasMore = rows.length > limit;
  return {
    data: shown.map(item),
    pagination: {
      cursor: hasMore && last !== undefined ? writeCursor(position(last)) : null,
      has_more: hasMore,
      total,
    },
  };
}
