import { defineConfig } from 'vitest/config';

const include = ['test/**/*.test.ts'];
const measured = ['test/catalogue/load.test.ts', 'test/pool/memory.test.ts'];

export default defineConfig({
  test: {
    projects: [
      { extends: true, test: { name: 'tests', include, exclude: [...measured] } },
      // They compare times or memory: nothing else runs beside them.
      {
        extends: true,
        test: {
          name: 'measured',
          include: [...measured],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
    // Every file has processes and engines of its own; more at once than this starves a small machine.
    pool: 'forks',
    maxWorkers: 2,
    // Bounds a test that hangs. No test measures time against it.
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
