/**
 * `npm run compatibility`: real drivers and tools against PostgreSQL directly and through a proxy, with the same code.
 * It fails where the two differ, and where docs/compatibility.md says something else than what was measured.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { enterableDirectory } from '../test/fixtures/enterable-directory.ts';
import { judge } from './compatibility/judge.ts';
import { dateOf, renderPage } from './compatibility/page.ts';
import type { Report } from './compatibility/report.ts';
import { runSuite } from './compatibility/run-suite.ts';
import { startServers } from './compatibility/servers.ts';
import { refusals, suites, type Suite } from './compatibility/suites.ts';

const usage = `usage: npm run compatibility [-- --write] [--only SUITE]… [--lines]
  --write       writes docs/compatibility.md in place of comparing it
  --only SUITE  only this one (${suites.map(({ name }) => name).join(', ')}); the page is left alone then
  --lines       prints the reports as they come`;

const { values } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    only: { type: 'string', multiple: true },
    lines: { type: 'boolean', default: false },
  },
});
const chosen = suites.filter(({ name }) => values.only?.includes(name) ?? true);
if (chosen.length !== (values.only?.length ?? suites.length)) {
  console.error(usage);
  process.exit(2);
}
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

const work = enterableDirectory('hati-matrix-');
process.once('exit', () => rmSync(work, { recursive: true, force: true, maxRetries: 5 }));
const places = { work, python: process.env['PYTHON'] ?? 'python3' };
const reports: Report[] = [];
const failures: string[] = [];
const servers = await startServers(work);
try {
  // Two at once: one builds or waits while the other works. Their names of tables, locks and channels are their own.
  const waiting = [...chosen];
  await Promise.all([takeSuites(waiting), takeSuites(waiting)]);
} finally {
  await servers.stop();
}

const expected = chosen.flatMap(({ drivers }) => drivers);
const judgement = judge(reports, expected, refusals);
failures.push(...judgement.failures);
if (values.only === undefined) checkPage();
const cells = judgement.drivers.flatMap((driver) => [...driver.cells.values()]);
const passed = cells.filter((cell) => cell !== 'failure').length;
if (failures.length > 0) {
  for (const failure of failures) console.log(`FAILED: ${failure}`);
  for (const line of servers.proxyWarnings().slice(-20)) console.log(`proxy: ${line}`);
}
const failed = Math.max(cells.length - passed, failures.length);
console.log(`drivers: ${passed} passed, ${failed} failed`);
process.exitCode = failures.length === 0 && passed > 0 ? 0 : 1;

async function takeSuites(waiting: Suite[]): Promise<void> {
  for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) {
    const start = performance.now();
    const run = await runSuite(suite, places, servers.urls);
    reports.push(...run.reports);
    failures.push(...run.failures);
    const seconds = ((performance.now() - start) / 1000).toFixed(0);
    console.log(`${suite.name}: ${run.reports.length} reports (${seconds} s)`);
    if (values.lines) for (const report of run.reports) console.log(JSON.stringify(report));
  }
}

function checkPage(): void {
  const path = resolve(import.meta.dirname, '../docs/compatibility.md');
  const results = {
    suites: suites.map(({ title, drivers }) => ({
      title,
      drivers: drivers.map(({ name }) => judgement.drivers.find((one) => one.name === name)!),
    })),
    refusals,
    postgres: servers.postgres,
  };
  if (values.write) {
    writeFileSync(path, renderPage(results, new Date().toISOString().slice(0, 10)));
    return;
  }
  const page = readFileSync(path, 'utf8');
  if (page !== renderPage(results, dateOf(page))) {
    const measured = join('docs', 'compatibility.md');
    failures.push(`${measured} differs from what was measured: npm run compatibility -- --write`);
  }
}
