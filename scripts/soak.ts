/**
 * `npm run soak -- [minutes]`: many kinds of clients at two proxies, with faults all the time. It fails on a wrong answer, on an
 * error that no fault excuses, on a write that is lost or doubled, and where memory, handles or connections grow (docs/proofs.md).
 */
import { parseArgs } from 'node:util';
import { queryUrl } from '../test/fixtures/own-postgres.ts';
import { startClients } from './soak/clients.ts';
import { benched } from './soak/clients/programs.ts';
import { Faults } from './soak/faults.ts';
import { Ledger } from './soak/ledger.ts';
import { sleep } from './soak/load.ts';
import { growthOf, showSample, takeSample, type Sample } from './soak/measure.ts';
import { Books, isDriverFault } from './soak/record.ts';
import { startStage } from './soak/stage.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    python: { type: 'string' },
    logs: { type: 'string' },
    'fault-seconds': { type: 'string', default: '10' },
  },
});
const minutes = Number(positionals[0] ?? 30);
if (!(minutes > 0)) {
  console.error(
    'usage: npm run soak -- [minutes] [--python INTERPRETER] [--logs DIRECTORY] [--fault-seconds N]',
  );
  process.exit(2);
}
const totalMs = minutes * 60_000;
const sampleMs = Math.min(15_000, totalMs / 18);

const record = new Books((text) => console.log(`FAULT ${text}`));
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
let driverFaults = 0;
process.on('uncaughtException', (error) => {
  if (isDriverFault(error)) driverFaults += 1;
  else record.wrong('soak', `nobody caught ${error.stack ?? String(error)}`);
});
const ledger = new Ledger();
const ending = new AbortController();
const stage = await startStage(500, values.logs);
const failures: string[] = [];
try {
  const begun = Date.now();
  const clients = await startClients(
    { record, ledger, ending: ending.signal },
    stage,
    values.python,
  );
  console.log(`${clients.description}; ${minutes} minutes`);
  console.log('per process: heap after gc MB / RSS MB / handles');
  const faults = new Faults(stage, record, () => clients.rotate());
  const faulty = faults.run(Number(values['fault-seconds']) * 1_000, ending.signal);
  const samples: Sample[] = [];
  for (let nextLine = 60_000; Date.now() - begun < totalMs;) {
    await sleep(sampleMs);
    const sample = await takeSample(stage, (Date.now() - begun) / totalMs);
    samples.push(sample);
    if (Date.now() - begun < nextLine) continue;
    console.log(`${nextLine / 60_000} min: ${books()} | ${showSample(sample)}`);
    nextLine += 60_000;
  }
  ending.abort();
  await Promise.all([clients.over, faulty]);
  console.log(`end: ${books()}`);
  console.log(`work done: ${list(record.works)}`);
  console.log(`faults: ${list(faults.counts)}`);
  console.log(`known fault of postgres.js met ${driverFaults} times`);
  failures.push(...record.faults);
  if (record.faultCount > record.faults.length)
    failures.push(`and ${record.faultCount - record.faults.length} more`);
  if (record.statements === 0 || ledger.acknowledged === 0) failures.push('nothing was done');
  failures.push(...(await ledger.check(stage.url)), ...(await checkSums()));
  console.log(`${ledger.acknowledged} acknowledged writes looked for`);
  for (const [text, count] of stage.loggedErrors)
    console.log(`logged as an error ${count} times: ${text}`);
  for (const { line, isTooMuch } of growthOf(samples)) {
    console.log(line);
    if (isTooMuch) failures.push(line);
  }
} finally {
  ending.abort();
  await stage.stop();
}
for (const failure of failures.slice(0, 60)) console.log(`FAILED: ${failure}`);
console.log(failures.length === 0 ? 'soak: all right' : `soak: ${failures.length} failures`);
process.exitCode = failures.length === 0 ? 0 : 1;

function books(): string {
  return `${record.statements} statements, ${record.connects} connects, errors ${list(record.errors) || 'none'}, unexpected ${record.faultCount}`;
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, count]) => `${name} ${count}`).join(', ');
}

/** What transactions moved is in balance, and pgbench's transactions are there. */
async function checkSums(): Promise<string[]> {
  const wrong: string[] = [];
  const { rows } = await queryUrl(stage.url, 'SELECT sum(amount)::int AS sum FROM accounts');
  const { sum } = rows[0] as { sum: number };
  if (sum !== 0) wrong.push(`transfers are out of balance by ${sum}`);
  for (const [id, { atLeast, unsure }] of benched) {
    const found = await queryUrl(
      stage.url,
      `SELECT count(*)::int AS n FROM bench_ledger WHERE bench = ${id}`,
    );
    const { n } = found.rows[0] as { n: number };
    if (n < atLeast || n > atLeast + unsure)
      wrong.push(`pgbench ${id} counted ${atLeast} transactions, ${n} are there`);
  }
  return wrong;
}
