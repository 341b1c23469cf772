/**
 * `npm run test:corpus -- FILE [--list] [--file NAME]`: our verdict on every statement of a corpus, for a readonly key,
 * against PostgreSQL's own answer. docs/corpus.md says how, and what the figures are.
 */
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { readCorpus, type CorpusFile } from './corpus/corpus-file.ts';
import { Report } from './corpus/report.ts';
import { runCorpus } from './corpus/run.ts';
import { startThrowawayServer } from './corpus/server.ts';

const usage = `usage: npm run test:corpus -- FILE [--list] [--file NAME]
  FILE         [{file, statements[]}] as JSON, plain or gzipped
  --list       name each case, not only its family
  --file NAME  only this one of its files; may be given several times`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { list: { type: 'boolean', default: false }, file: { type: 'string', multiple: true } },
});
const [path, ...more] = positionals;
if (path === undefined || more.length > 0) {
  console.error(usage);
  process.exit(2);
}
const files = chosen(await readCorpus(path), values.file);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const report = new Report();
const start = performance.now();
const server = await startThrowawayServer();
try {
  let shown = start;
  await runCorpus(files, {
    server,
    onCase: (one) => {
      report.add(one);
      if (performance.now() - shown < 2_000) return;
      shown = performance.now();
      progress(`${one.file}:${one.number}`);
    },
  });
} finally {
  await server.stop();
}
progress('done');
for (const line of report.lines({ each: values.list })) console.log(line);
process.exitCode = report.hasPassed() ? 0 : 1;

function progress(what: string): void {
  const seconds = ((performance.now() - start) / 1000).toFixed(0);
  const { statements, allowed_writes, refused_reads } = report.totals;
  console.error(
    `${seconds.padStart(4)} s  ${statements} statements, ${allowed_writes} allowed writes, ${refused_reads} refused reads  ${what}`,
  );
}

function chosen(
  all: readonly CorpusFile[],
  names: readonly string[] | undefined,
): readonly CorpusFile[] {
  if (names === undefined) return all;
  const unknown = names.filter((name) => !all.some(({ file }) => file === name));
  if (unknown.length > 0) {
    console.error(`The corpus has no ${unknown.join(', ')}.`);
    process.exit(2);
  }
  return all.filter(({ file }) => names.includes(file));
}
