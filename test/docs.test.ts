import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { generatedPages, withGenerated } from '../scripts/generated-pages.ts';

test.each(generatedPages)('$path says what the code says (npm run docs writes it)', (page) => {
  const text = readFileSync(resolve(import.meta.dirname, '..', page.path), 'utf8');
  expect(page.lines().length).toBeGreaterThan(20);
  expect(text).toBe(withGenerated(text, page));
});
