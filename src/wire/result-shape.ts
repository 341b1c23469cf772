/**
 * What PostgreSQL compares when it looks whether a prepared statement still gives what it did: names, types and type modifiers of
 * the columns. Formats and table numbers are no part of it.
 * @param description the body of a RowDescription; empty for NoData.
 */
export function resultShape(description: Buffer): string {
  if (description.length === 0) return 'no data';
  const columns: string[] = [];
  let at = 2;
  for (let left = description.readInt16BE(0); left > 0; left -= 1) {
    const end = description.indexOf(0, at);
    const name = description.toString('utf8', at, end);
    // Behind the name: table (4), column (2), type (4), size (2), modifier (4), format (2).
    columns.push(
      `${name}\0${description.readInt32BE(end + 7)} ${description.readInt32BE(end + 13)}`,
    );
    at = end + 19;
  }
  return columns.join('\0');
}
