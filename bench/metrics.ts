import { parseArgs } from 'node:util';
import { adminAuthority } from '../src/policy/authority.ts';
import { emptyCatalogue } from '../src/policy/catalogue.ts';
import { JudgementMeter } from '../src/metrics/judgement-meter.ts';
import { Metrics } from '../src/metrics/metrics.ts';
import { SessionTotals } from '../src/metrics/session-meter.ts';
import { decide, pipeline, type PipelineParts } from '../src/proxy/pipeline.ts';
import { SearchedSchemas } from '../src/proxy/searched-schemas.ts';
import { startReader } from './reader.ts';

/**
 * What being counted costs a statement, without a socket: nanoseconds, the median and the lowest of the rounds. `session` is what a simple
 * Query and a batch of five messages report, bytes included; `decide` is the whole pipeline for a known text, with the
 * meter of the product and with one that does nothing; `scrape` is one answer of /metrics, in microseconds.
 */

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' } } });
const rounds = Number(values.rounds);
const perRound = 50_000;

const totals = new SessionTotals();
const session = totals.open({ agent: 'bench', requestId: () => undefined });
const { bytes } = totals;
const [Q, P, B, D, E, S] = ['Q', 'P', 'B', 'D', 'E', 'S'].map((letter) => letter.charCodeAt(0));

const reader = await startReader();

class NoMeter extends JudgementMeter {
  override stopwatch(): undefined {
    return undefined;
  }
  override count(): void {}
}

const text = Buffer.from('SELECT abalance FROM pgbench_accounts WHERE aid = 7;');

function decider(meter: JudgementMeter): () => void {
  const parts: PipelineParts = {
    keys: { isCurrent: () => true },
    reader,
    catalogue: () => emptyCatalogue,
    isCatalogueCurrent: () => true,
    freshenCatalogue: () => Promise.resolve(),
    steps: pipeline,
    definitions: { epoch: 0, changed: () => undefined, noticed: () => undefined },
    meter,
  };
  const principal = {
    kind: 'localAdministrator',
    agent: 'bench',
    authority: adminAuthority,
  } as const;
  const searched = new SearchedSchemas([], undefined);
  return () => {
    const decision = decide({
      text,
      parameterTypes: [],
      principal,
      searched,
      parts,
      trace: undefined,
    });
    if (decision instanceof Promise || decision.action !== 'forward') throw new Error('not passed');
  };
}

const measures: Readonly<Record<string, () => void>> = {
  'session: Query': () => {
    bytes.fromClients += 60;
    session.received(Q!);
    bytes.toEngine += 60;
    bytes.fromEngine += 90;
    bytes.toClients += 90;
    session.ready('idle', true);
  },
  'session: Parse … Sync': () => {
    bytes.fromClients += 120;
    for (const type of [P, B, D, E, S]) {
      session.received(type!);
      bytes.toEngine += 24;
    }
    bytes.fromEngine += 90;
    bytes.toClients += 90;
    session.ready('idle', true);
  },
  'decide, not metered': decider(new NoMeter()),
  'decide, metered': decider(new JudgementMeter()),
};

const measured = new Map(Object.keys(measures).map((name) => [name, [] as number[]]));
for (let round = -2; round < rounds; round += 1) {
  for (const [name, run] of Object.entries(measures)) {
    const start = process.hrtime.bigint();
    for (let count = 0; count < perRound; count += 1) run();
    const nanos = Number(process.hrtime.bigint() - start) / perRound;
    // The first rounds warm the compiler up.
    if (round >= 0) measured.get(name)!.push(nanos);
  }
}
await reader.close();

console.log(`ns a statement, median and lowest of ${rounds} rounds of ${perRound}`);
for (const [name, list] of measured) print(name, list);

const metrics = new Metrics('bench');
const scrapes: number[] = [];
for (let count = 0; count < 200; count += 1) {
  const start = performance.now();
  await metrics.text();
  scrapes.push((performance.now() - start) * 1_000);
}
metrics.close();
print('scrape, µs', scrapes);

function print(name: string, list: readonly number[]): void {
  const figures = [median(list), Math.min(...list)];
  console.log(name.padEnd(24) + figures.map((each) => each.toFixed(0).padStart(8)).join(''));
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
}
