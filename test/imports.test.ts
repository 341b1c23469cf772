/**
 * Imports go one way (docs/architecture.md). Each line of `layers` may import from the lines above it and from its own
 * folder, never from a neighbour on the same line.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const layers: readonly (readonly string[])[] = [
  ['errors'],
  ['shared'],
  ['config'],
  ['metrics'],
  ['wire', 'sql', 'database'],
  ['audit', 'metering'],
  ['policy'],
  ['api'],
  ['engine'],
  ['ports'],
  ['proxy', 'control'],
  ['serve', 'operator'],
  ['supervisor'],
  ['cli', 'dashboard'],
  ['main', 'worker'],
];

const source = resolve(import.meta.dirname, '../src');

interface Import {
  readonly from: string;
  readonly to: string;
  /** `import type` leaves nothing behind at run time. */
  readonly isType: boolean;
}

function sourceFiles(): string[] {
  return readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join(source, path));
}

/** Relative imports of every form: import, import type, export … from, and import(). */
function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
  const pattern =
    /(?:^|\n)\s*(?:import|export)\b[^;]*?from\s*'(\.[^']+)'|\bimport\(\s*'(\.[^']+)'|(?:^|\n)import\s*'(\.[^']+)'/g;
  return [...text.matchAll(pattern)].map((match) => ({
    from: file,
    isType: /^\s*(?:import|export)\s+type\b/.test(match[0]),
    to: resolve(dirname(file), match[1] ?? match[2] ?? match[3] ?? ''),
  }));
}

/** `src/config.ts` and `src/config/` are one. */
function folderOf(file: string): string {
  return (relative(source, file).split('/')[0] ?? '').replace(/\.ts$/, '');
}

function layerOf(folder: string): number {
  return layers.findIndex((layer) => layer.includes(folder));
}

const files = sourceFiles();
const imports = files.flatMap(importsOf);

describe('imports', () => {
  test('enough was looked at to mean something', () => {
    expect(files.length).toBeGreaterThan(40);
    expect(imports.length).toBeGreaterThan(100);
  });

  test('every folder has a layer', () => {
    expect([...new Set(files.map(folderOf))].filter((folder) => layerOf(folder) === -1)).toEqual(
      [],
    );
  });

  test('every import names a file that exists', () => {
    const known = new Set(files);
    expect(imports.filter(({ to }) => !known.has(to)).map(show)).toEqual([]);
  });

  test('go down the list only', () => {
    const wrong = imports.filter(({ from, to }) => {
      const [fromFolder, toFolder] = [folderOf(from), folderOf(to)];
      return fromFolder !== toFolder && layerOf(toFolder) >= layerOf(fromFolder);
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('make no cycles at run time', () => {
    expect(findCycle()).toEqual([]);
  });

  test('only main.ts reads the environment and the arguments', () => {
    const readers = files.filter((file) =>
      /\bprocess\.(?:env|argv)\b/.test(readFileSync(file, 'utf8')),
    );
    expect(readers.map((file) => relative(source, file))).toEqual(['main.ts']);
  });
});

function show({ from, to }: Import): string {
  return `${relative(source, from)} -> ${relative(source, to)}`;
}

/** The files of one cycle, in order; empty when there is none. */
function findCycle(): string[] {
  const targets = Map.groupBy(
    imports.filter(({ isType }) => !isType),
    ({ from }) => from,
  );
  const finished = new Set<string>();
  const visit = (file: string, path: readonly string[]): string[] => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (finished.has(file)) return [];
    for (const { to } of targets.get(file) ?? []) {
      const cycle = visit(to, [...path, file]);
      if (cycle.length > 0) return cycle;
    }
    finished.add(file);
    return [];
  };
  for (const file of files) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle.map((member) => relative(source, member));
  }
  return [];
}
