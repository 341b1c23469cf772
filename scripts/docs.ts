/** Writes the parts of docs/ that come from code. `test/errors.test.ts` fails while they differ. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beginMarker, endMarker, errorRows } from './errors-table.ts';

const path = resolve(import.meta.dirname, '../docs/errors.md');
const page = readFileSync(path, 'utf8');
const begin = page.indexOf(beginMarker);
const end = page.indexOf(endMarker);
if (begin === -1 || end === -1)
  throw new Error(`${path} has lost its markers ${beginMarker}, ${endMarker}`);

const table = [
  '| Code | SQLSTATE | HTTP | Blame | Text | Hint |',
  '|---|---|---|---|---|---|',
  ...errorRows(),
];
writeFileSync(
  path,
  `${page.slice(0, begin)}${beginMarker}\n${table.join('\n')}\n${page.slice(end)}`,
);
console.log(`docs/errors.md: ${table.length - 2} errors`);
