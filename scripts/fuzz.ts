/**
 * `npm run fuzz -- --seconds N [--seed S] [--only statements|frames] [--corpus FILE]`: statements made of pieces of others
 * against PostgreSQL's own answer, and sessions whose bytes were tampered with against a proxy. docs/corpus.md says more.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { readCorpus } from './corpus/corpus-file.ts';
import { startThrowawayServer } from './corpus/server.ts';
import { fuzzFrames } from './fuzz/run-frames.ts';
import { fuzzStatements } from './fuzz/run-statements.ts';
import { Tally } from './fuzz/tally.ts';

const usage = `usage: npm run fuzz -- --seconds N [--seed S] [--only statements|frames] [--corpus FILE]
  --seconds N    how long in all; half of it for statements, half for frames
  --seed S       a number; the same one makes the same cases (default: another one each time)
  --only PART    all of the time for one of them
  --corpus FILE  statements to cut up besides our own: [{file, statements[]}] as JSON, plain or gzipped`;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    only: { type: 'string' },
    corpus: { type: 'string' },
  },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
const parts = values.only === undefined ? ['statements', 'frames'] : [values.only];
const isKnown = parts.every((part) => part === 'statements' || part === 'frames');
if (!(seconds > 0) || !Number.isInteger(seed) || !isKnown) {
  console.error(usage);
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const tally = new Tally();
const say = (line: string): void => console.error(line);
say(`seed ${seed}`);
for (const part of parts) {
  const start = performance.now();
  const end = start + (seconds / parts.length) * 1000;
  const until = (): boolean => performance.now() > end;
  if (part === 'frames') await fuzzFrames({ seed, until, tally, say });
  else await statements(until);
  tally.took(part, performance.now() - start);
}
for (const line of tally.lines()) console.log(line);
// Not `exitCode`: a proxy that does not stop, which is a failure, would keep us here.
process.exit(tally.failures.length === 0 ? 0 : 1);

async function statements(until: () => boolean): Promise<void> {
  const corpus = values.corpus === undefined ? [] : await readCorpus(values.corpus);
  const more = corpus.flatMap((file) => file.statements);
  const server = await startThrowawayServer();
  try {
    await fuzzStatements({ server, seed, until, tally, say, more });
  } finally {
    await server.stop();
  }
}
