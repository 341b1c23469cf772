import { types } from 'pg';

export interface Column {
  readonly name: string;
  readonly dataTypeID: number;
}

/** Values as the server wrote them; null is NULL. */
export type TextRow = readonly (string | null)[];

const { BOOL, INT2, INT4, INT8, OID, FLOAT4, FLOAT8, NUMERIC, JSON: JSON_, JSONB } = types.builtins;
const booleanTypes: ReadonlySet<number> = new Set([BOOL]);
const integerTypes: ReadonlySet<number> = new Set([INT2, INT4, INT8, OID]);
const floatTypes: ReadonlySet<number> = new Set([FLOAT4, FLOAT8]);
const numericTypes: ReadonlySet<number> = new Set([...integerTypes, ...floatTypes, NUMERIC]);

const jsonTypes: ReadonlySet<number> = new Set([JSON_, JSONB]);

/** An aligned table in the manner of psql; numbers to the right, NULL told apart from an empty text. */
export function renderTable(columns: readonly Column[], rows: readonly TextRow[]): string {
  const header = columns.map(({ name }) => printable(name));
  const cells = rows.map((row) => row.map((value) => (value === null ? 'NULL' : printable(value))));
  const widths = header.map((name, index) =>
    cells.reduce((width, row) => Math.max(width, widthOf(row[index] ?? '')), widthOf(name)),
  );
  const line = (row: readonly string[], isHeader: boolean): string =>
    row
      .map((cell, index) => {
        const gap = ' '.repeat((widths[index] ?? 0) - widthOf(cell));
        const isRight = !isHeader && numericTypes.has(columns[index]?.dataTypeID ?? 0);
        return isRight ? gap + cell : cell + gap;
      })
      .join(' | ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('-+-');
  return [line(header, true), rule, ...cells.map((row) => line(row, false))].join('\n');
}

/**
 * One row as JSON. Numbers that JavaScript holds exactly are numbers, booleans and JSON are themselves, and everything
 * else keeps the server's text, NUMERIC among it, so that no digit is lost.
 */
export function rowToJson(columns: readonly Column[], row: TextRow): Record<string, unknown> {
  return Object.fromEntries(
    columns.map(({ name, dataTypeID }, index) => [
      name,
      valueToJson(row[index] ?? null, dataTypeID),
    ]),
  );
}

function valueToJson(value: string | null, type: number): unknown {
  if (value === null) return null;
  if (booleanTypes.has(type)) return value === 't';
  if (jsonTypes.has(type)) return JSON.parse(value);
  const number = Number(value);
  if (integerTypes.has(type) && Number.isSafeInteger(number)) return number;
  if (floatTypes.has(type) && Number.isFinite(number)) return number;
  return value;
}

/** Control characters are shown, not obeyed: a value must not move the cursor or start a new row. */
export function printable(value: string): string {
  return value
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t')
    .replace(
      /\p{Cc}/gu,
      (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    );
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Columns on a terminal, near enough: East Asian wide characters and emoji take two. */
function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) {
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        segment,
      )
        ? 2
        : 1;
  }
  return width;
}
