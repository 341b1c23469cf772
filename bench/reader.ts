import { StatementReader } from '../src/sql/reader.ts';

/** A reader of statements as in a proxy, to be closed at the end. */
export async function startReader(): Promise<StatementReader> {
  const reader = new StatementReader({
    cacheBytes: 64 << 20,
    statementBytes: 1 << 20,
    workers: 1,
    deadlineMs: 5_000,
  });
  await reader.start();
  return reader;
}
