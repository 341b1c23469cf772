/** `npm run check`: everything that can be said about the code without running the product. One line a check. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';

const root = resolve(import.meta.dirname, '..');

interface Check {
  readonly name: string;
  /** A program of node_modules, run with this very Node. */
  readonly program: string;
  readonly args: readonly string[];
}

const checks: readonly Check[] = [
  { name: 'format', program: 'oxfmt/bin/oxfmt', args: ['--check', '.'] },
  { name: 'lint', program: 'oxlint/bin/oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'types', program: 'typescript/bin/tsc', args: ['-p', 'tsconfig.json'] },
  { name: 'unused code', program: 'knip/bin/knip.js', args: ['--no-progress'] },
  {
    name: 'import direction',
    program: 'vitest/vitest.mjs',
    args: ['run', 'test/imports.test.ts', '--reporter=dot'],
  },
];

function passes({ name, program, args }: Check): boolean {
  const path = join(root, 'node_modules', program);
  const start = performance.now();
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [path, ...args], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const hasPassed = status === 0 && existsSync(path);
  console.log(`${hasPassed ? 'ok    ' : 'FAILED'} ${name} (${seconds} s)`);
  if (!hasPassed) {
    console.log([error?.message ?? '', stdout, stderr].filter(Boolean).join('\n').trimEnd());
  }
  return hasPassed;
}

const results = checks.map(passes);
process.exitCode = results.every(Boolean) ? 0 : 1;
