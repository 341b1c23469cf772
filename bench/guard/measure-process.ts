/** `measure-process.ts FILE`: measures all scenarios and writes what they cost. A process of its own, for its flags. */
import { writeFileSync } from 'node:fs';
import { measure, type Costs } from './measure.ts';
import { OperationCounter } from './operations.ts';
import { SocketCalls } from './socket-calls.ts';

const [file] = process.argv.slice(2);
const operations = new OperationCounter(new URL('../../src/', import.meta.url).href);
const calls = new SocketCalls();
calls.watch();
await operations.start();
// What is counted is loaded behind the start.
const { pureScenarios } = await import('./pure.ts');
const { startSessions } = await import('./sessions.ts');

let costs: Costs = {};
const suites = [
  pureScenarios,
  () => startSessions({ fastLane: true, calls }),
  () => startSessions({ fastLane: false, calls }),
];
for (const open of suites) {
  const { scenarios, close } = await open();
  try {
    costs = { ...costs, ...(await measure(scenarios, { operations, calls })) };
  } finally {
    await close();
  }
}
operations.stop();
writeFileSync(file!, `${JSON.stringify(costs, undefined, 2)}\n`);
