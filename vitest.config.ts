import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Every file has processes and engines of its own; more at once than this starves a small machine.
    pool: 'forks',
    maxWorkers: 2,
    // Bounds a test that hangs. No test measures time against it.
    testTimeout: 120_000,
    hookTimeout: 180_000,
  },
});
