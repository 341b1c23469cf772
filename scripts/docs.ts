/** Writes the parts of docs/ that come from code. `test/docs.test.ts` fails while they differ. */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { generatedPages, withGenerated } from './generated-pages.ts';

for (const page of generatedPages) {
  const path = resolve(import.meta.dirname, '..', page.path);
  writeFileSync(path, withGenerated(readFileSync(path, 'utf8'), page));
  console.log(`${page.path}: ${page.lines().length} lines`);
}
