/** psql, pgbench and Python drivers, where they are on this machine. */
import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { keepAt, same, sleep, WrongAnswer, type Client } from '../load.ts';

export function isThere(program: string): boolean {
  return spawnSync(program, ['--version']).status === 0;
}

interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const longestMs = 90_000;

function run(
  client: Client,
  program: string,
  args: readonly string[],
  input = '',
): Promise<Outcome> {
  const { place, key } = client;
  const child = spawn(program, args, {
    env: {
      ...{
        PATH: process.env['PATH'],
        LC_ALL: 'C.UTF-8',
        PGHOST: '127.0.0.1',
        PGPORT: String(place.port),
      },
      ...{
        PGUSER: 'agent',
        PGPASSWORD: key(),
        PGDATABASE: 'hatidata',
        PGSSLMODE: 'disable',
        PSQLRC: '/dev/null',
      },
    },
    timeout: longestMs,
  });
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  child.once('error', (error) => resolve({ code: -1, stdout, stderr: error.message }));
  child.once('close', (code, signal) =>
    signal === null
      ? resolve({ code, stdout, stderr })
      : resolve({
          code,
          stdout,
          stderr: `${stderr}\nended by ${signal} after ${longestMs / 1_000} s`,
        }),
  );
  return promise;
}

/** As an error with the code that the program printed. */
function failure(program: string, { code, stderr }: Outcome): Error {
  const isLost =
    /server closed the connection|connection to server was lost|Connection reset|no connection to the server|could not receive|terminating connection/.test(
      stderr,
    );
  const [, sqlstate] = /(?:ERROR|FATAL): {1,2}([0-9A-Z]{5}):/.exec(stderr) ?? [];
  const told = /cannot be reached|was lost/.test(stderr) ? '08006' : isLost ? 'LOST' : undefined;
  return Object.assign(new Error(`${program} ended with ${code}: ${stderr.slice(-600)}`), {
    code: sqlstate ?? told ?? 'PROGRAM',
  });
}

/** A script of statements, \copy and a pipeline of describe commands. */
export function psql(client: Client): Promise<void> {
  const { id, load } = client;
  return keepAt(
    client,
    'psql',
    async () => {
      load.record.connects += 1;
      load.record.statements += 9;
      const write = load.ledger.begin(id);
      const script = `\\set ON_ERROR_STOP 1
\\set VERBOSITY verbose
SET my.client = 'psql ${id}';
SELECT current_setting('my.client');
CREATE TEMP TABLE mine (n int, t text);
\\copy mine from pstdin
1\tone
${id}\tmine
\\.
\\copy (SELECT * FROM mine ORDER BY n) to pstdout
SELECT owner FROM own_rows WHERE id = ${id} \\bind \\g
BEGIN;
INSERT INTO ledger VALUES (${id}, ${write});
COMMIT;
\\echo over
`
        .replace('from pstdin', 'from stdin')
        .replace('to pstdout', 'to stdout');
      const outcome = await run(
        client,
        'psql',
        ['-X', '-q', '-A', '-t'],
        script.replace(' \\bind \\g', ';'),
      );
      if (outcome.code !== 0) throw failure('psql', outcome);
      load.ledger.committed(id, write);
      same('psql', outcome.stdout, `psql ${id}\n1\tone\n${id}\tmine\nowner ${id}\nover\n`);
    },
    4_000,
  );
}

/** A transaction of ours in one of its three modes; what it counted must be there. */
export function pgbench(client: Client, directory: string): Promise<void> {
  const { id, load } = client;
  const path = join(directory, `pgbench-${id}.sql`);
  let mode = 0;
  let written = 0;
  writeFileSync(
    path,
    `\\set n random(1, 1000)
BEGIN;
UPDATE benched SET amount = amount + :n WHERE id = ${id} * 100 + :client_id;
INSERT INTO bench_ledger VALUES (${id}, :client_id);
SELECT owner FROM own_rows WHERE id = :n % 50;
COMMIT;
`,
  );
  return keepAt(
    client,
    'pgbench',
    async () => {
      const kind = ['simple', 'extended', 'prepared'][(mode += 1) % 3]!;
      const args = ['-n', '-c', '4', '-j', '1', '-T', '8', '-R', '60', '-M', kind, '-f', path];
      if (mode % 2 === 0) args.push('-C');
      const outcome = await run(client, 'pgbench', args);
      const [, count] = /transactions actually processed: (\d+)/.exec(outcome.stdout) ?? [];
      const done = Number(count ?? 0);
      load.record.statements += done * 5;
      load.record.connects += mode % 2 === 0 ? done : 4;
      written += done;
      benched.set(id, {
        atLeast: written,
        unsure: (benched.get(id)?.unsure ?? 0) + (outcome.code === 0 ? 0 : 4),
      });
      if (outcome.code !== 0) throw failure('pgbench', outcome);
      if (/number of failed transactions: [1-9]/.test(outcome.stdout))
        throw new WrongAnswer(`pgbench: ${outcome.stdout.slice(-500)}`);
    },
    1_000,
  );
}

/** Of each pgbench client: what it counted, and how many transactions may have been done when connections were lost. */
export const benched = new Map<number, { readonly atLeast: number; readonly unsure: number }>();

type Event =
  | { readonly event: 'begin' | 'committed' | 'rolledBack'; readonly id: number }
  | { readonly event: 'statements'; readonly count: number; readonly connects: number }
  | { readonly event: 'error'; readonly code: string | null; readonly message: string }
  | { readonly event: 'wrong'; readonly message: string }
  | { readonly event: 'work'; readonly kind: string };

const script = join(import.meta.dirname, 'drivers.py');

/** psycopg and asyncpg in one process of Python. It asks for numbers of writes and tells what becomes of them. */
export async function python(client: Client, interpreter: string): Promise<void> {
  const { load, place, id, key, who } = client;
  const { record, ledger } = load;
  const child = spawn(interpreter, [script, String(place.port), key(), String(id)], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], PYTHONDONTWRITEBYTECODE: '1', PGSSLMODE: 'disable' },
  });
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  child.stdin.on('error', () => undefined);
  const open = new Map<number, number>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = JSON.parse(line) as Event;
    switch (event.event) {
      case 'begin': {
        const write = ledger.begin(event.id);
        open.set(event.id, write);
        child.stdin.write(`${event.id} ${write}\n`);
        break;
      }
      case 'committed':
        ledger.committed(event.id, open.get(event.id)!);
        break;
      case 'rolledBack':
        ledger.rolledBack(event.id, open.get(event.id)!);
        break;
      case 'statements':
        record.statements += event.count;
        record.connects += event.connects;
        break;
      case 'work':
        record.done(event.kind);
        break;
      case 'error':
        record.failed(
          who,
          place,
          Object.assign(new Error(event.message), event.code === null ? {} : { code: event.code }),
        );
        break;
      case 'wrong':
        record.wrong(who, event.message);
    }
  });
  const over = new Promise<number | null>((resolve) => child.once('close', resolve));
  const isOver = await Promise.race([over, until(load.ending)]);
  if (isOver !== 'ending')
    record.wrong(who, `Python ended by itself with ${isOver}: ${stderr.slice(-800)}`);
  child.stdin.end();
  const last = await Promise.race([over, sleep(30_000).then(() => 'late')]);
  if (last === 'late') {
    record.wrong(who, 'Python did not come to an end within 30 s');
    child.kill('SIGKILL');
  }
}

function until(signal: AbortSignal): Promise<'ending'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('ending');
    signal.addEventListener('abort', () => resolve('ending'), { once: true });
  });
}
