/**
 * pgbench with 32 clients while `hati restart` runs again and again: no transaction fails, and none is lost or done twice.
 * Each mode of pgbench once with connections that stay, and once with a connection for each transaction. Needs pgbench.
 */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Hati, outcomeOf, type Outcome } from '../../cli/hati.ts';
import { clientOf, until, workersOf } from '../../cli/workers.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    workers: { type: 'string', default: '2' },
  },
});
const clients = 32;
const hati = new Hati();

function pgbench(args: readonly string[]): Promise<Outcome> {
  const { port } = hati.record().address;
  const child = spawn(
    'pgbench',
    ['-h', '127.0.0.1', '-p', String(port), '-U', 'agent', ...args, 'hatidata'],
    {
      env: { ...hati.env(), PGPASSWORD: 'hd_local', PGSSLMODE: 'disable' },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  child.on('error', (error) => fail(`pgbench can't be run: ${error.message}`));
  return outcomeOf(child);
}

function fail(reason: string): never {
  throw new Error(reason);
}

async function hatiDoes(args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await hati.run(args, {
    env: { HATIDATA_WORKERS: values.workers },
  });
  if (code !== 0) fail(`hati ${args.join(' ')}: ${stderr}`);
  return stdout;
}

async function historyCount(): Promise<number> {
  const client = await clientOf(hati);
  const { rows } = await client.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM pgbench_history',
  );
  await client.end();
  return rows[0]!.count;
}

/** @returns a line of what happened */
async function proof(mode: string, kind: readonly string[]): Promise<string> {
  const before = await historyCount();
  let isOver = false;
  const bench = pgbench([
    ...['-c', String(clients), '-j', '2', '-T', values.seconds, '-n', '-M', mode],
    ...kind,
  ]).finally(() => (isOver = true));
  let restarts = 0;
  while (!isOver) {
    await hatiDoes(['restart']);
    restarts += 1;
    // With a fourth generation the oldest would have to go, and clients that stay with it.
    if (kind.length === 0 && restarts === 2) break;
  }
  const { code, stdout, stderr } = await bench;
  const done = Number(/transactions actually processed: (\d+)/.exec(stdout)?.[1]);
  const failed = /failed transactions: (\d+)/.exec(stdout)?.[1];
  const name = `${mode}, ${kind.length === 0 ? 'connections that stay' : 'a connection for each'}`;
  if (code !== 0 || failed !== '0' || /aborted|error/i.test(stderr))
    fail(`${name}: ${failed} failed, exit code ${code}\n${stderr}${stdout}`);
  const recorded = (await historyCount()) - before;
  if (recorded !== done) fail(`${name}: ${done} were told to be done, ${recorded} are`);
  const { pid } = hati.record();
  await until(() => workersOf(pid).length === Number(values.workers));
  return `${name}: ${done} transactions, 0 failed, ${restarts} restarts`;
}

try {
  mkdirSync(hati.project);
  await hatiDoes(['init', '--empty', '--port', '0']);
  const made = await pgbench(['-i', '-s', '4', '-q']);
  if (made.code !== 0) fail(`pgbench -i: ${made.stderr}`);
  for (const mode of ['simple', 'extended', 'prepared']) {
    for (const kind of [[], ['-C']]) process.stdout.write(`${await proof(mode, kind)}\n`);
  }
} finally {
  await hati.remove();
}
process.stdout.write('restart: 6 passed, 0 failed\n');
