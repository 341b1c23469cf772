/** Rows of one size, so that megabytes a second can be told from rows a second. */

const idLength = 10;
const payloadLength = 96;

export const copiedRows = {
  count: 100_000,
  sql: `
    CREATE TABLE bench_rows AS
      SELECT lpad(i::text, ${idLength}, '0') AS id, repeat(md5(i::text), ${payloadLength / 32}) AS payload
      FROM generate_series(1, 100000) AS i;
    CREATE UNLOGGED TABLE bench_copied (id text, payload text);`,
  /** A DataRow: type, length, number of columns, and each column with its length. */
  rowBytes: 1 + 4 + 2 + (4 + idLength) + (4 + payloadLength),
  /** A line of COPY. */
  lineBytes: idLength + 1 + payloadLength + 1,
} as const;

/** What COPY reads: the same rows, but for what stands in them. */
export function copyFile(): string {
  const line = (n: number): string =>
    `${String(n).padStart(idLength, '0')}\t${'x'.repeat(payloadLength)}\n`;
  return Array.from({ length: copiedRows.count }, (_, n) => line(n)).join('');
}
