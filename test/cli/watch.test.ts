/** `hati status`, and `hati status --watch`, beside a real proxy that comes and goes. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Hati } from './hati.ts';

const hati = new Hati();

beforeAll(async () => {
  expect((await hati.run(['init', hati.project, '--port', '0'], { cwd: hati.base })).code).toBe(0);
  hati.record();
});
afterAll(() => hati.remove());

test('status tells what readiness says, and where the metrics are', async () => {
  const { metrics } = hati.record();
  expect(await hati.json('status')).toMatchObject({
    ready: true,
    missing: [],
    metrics: `http://127.0.0.1:${metrics!.port}/metrics`,
    pools: [
      expect.objectContaining({ role: 'writer', size: 50, in_use: 0, pinned: 0, waiting: 0 }),
      expect.objectContaining({ role: 'reader', size: 50, engine_away: false }),
    ],
  });
  const { stdout } = await hati.run(['status']);
  expect(stdout).toMatch(/^Ready {6}yes$/m);
  expect(stdout).toMatch(
    /^Pools {6}writers 0 of 50 in use \(0 pinned\), \d+ idle\n {11}readers 0 of 50 in use/m,
  );
  expect(stdout).toContain(`Metrics    http://127.0.0.1:${metrics!.port}/metrics\n`);
});

/** Lines of a running command, one after the other. */
class Lines {
  readonly seen: string[] = [];

  constructor(child: ChildProcess) {
    createInterface(child.stdout!).on('line', (line) => this.seen.push(line));
  }

  async like(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.seen.find((line) => pattern.test(line));
      if (found !== undefined) return found;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const sample = / (?:yes|NO) /;
/** The first one of a process: what its counts have been before is nobody's business. */
const withoutRates = / +- +- +- +- +-$/;

async function interrupted(child: ChildProcess): Promise<number | null> {
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  return exited;
}

test('watch: a line a second of what happens, until Ctrl-C', async () => {
  const { address } = hati.record();
  const client = new Client({
    host: '127.0.0.1',
    port: address.port,
    user: 'x',
    password: 'hd_local',
    database: 'hatidata',
    ssl: false,
  });
  await client.connect();
  const child = hati.spawn(['status', '--watch']);
  const lines = new Lines(child);
  await lines.like(
    /^time +ready +sessions +active +engine +pinned +waiting +stmts\/s +refused\/s +p50 ms +p99 ms +cache hits$/,
  );
  await lines.like(/^\d\d:\d\d:\d\d +yes +1 +0 +0\/100 +0 +0 +(?:-|0) +(?:-|0\.0) +- +- +-$/);
  expect(lines.seen.find((line) => sample.test(line))).toMatch(withoutRates);
  for (let count = 0; count < 200; count += 1) await client.query('SELECT 1');
  await expect(client.query('SELEC')).rejects.toThrow('syntax error');
  await lines.like(
    /^\d\d:\d\d:\d\d +yes +1 +0 +0\/100 +0 +0 +[1-9]\d* +\d+\.[1-9] +\d+\.\d\d +\d+\.\d\d +9\d\.\d %$/,
  );
  await client.query('LISTEN news');
  await lines.like(/^\S+ +yes +1 +0 +1\/100 +1 +0 /);
  await client.end();
  await lines.like(/^\S+ +yes +0 /);
  const begun = performance.now();
  expect(await interrupted(child)).toBe(0);
  expect(performance.now() - begun).toBeLessThan(10_000);
  expect(lines.seen.filter((line) => line.startsWith('time'))).toHaveLength(1);
});

test('watch says when the proxy is not there, and goes on', async () => {
  const child = hati.spawn(['status', '--watch']);
  const lines = new Lines(child);
  await lines.like(/ yes /);
  expect((await hati.run(['stop'])).code).toBe(0);
  await lines.like(/the proxy does not run$/);
  const seenSoFar = lines.seen.length;
  expect((await hati.run(['init', hati.project, '--port', '0'])).code).toBe(0);
  hati.record();
  const later = () => lines.seen.slice(seenSoFar);
  while (!later().some((line) => / yes +0 +0 +0\/100 +0 +0 /.test(line)))
    await new Promise((resolve) => setTimeout(resolve, 50));
  expect(later().find((line) => sample.test(line))).toMatch(withoutRates);
  expect(await interrupted(child)).toBe(0);
});

test('watch does not go with --json', async () => {
  const { code, stderr } = await hati.run(['status', '--watch', '--json']);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: 'hati: --watch writes lines; leave --json out.\n',
  });
});

test('without metrics, status goes without readiness and watch says why', async () => {
  expect((await hati.run(['stop'])).code).toBe(0);
  const env = { HATIDATA_METRICS_ENABLED: 'false' };
  expect((await hati.run(['init', hati.project, '--port', '0'], { env })).code).toBe(0);
  hati.record();
  const { stdout, code } = await hati.run(['status'], { env });
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/^(?:Ready|Metrics)/m);
  const child = hati.spawn(['status', '--watch']);
  await new Lines(child).like(/the proxy tells no metrics/);
  expect(await interrupted(child)).toBe(0);
});

test('where its port is taken, status says that nothing is told', async () => {
  expect((await hati.run(['stop'])).code).toBe(0);
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  const env = { HATIDATA_METRICS_LISTEN_ADDR: `127.0.0.1:${port}` };
  expect((await hati.run(['init', hati.project, '--port', '0'], { env })).code).toBe(0);
  taken.close();
  hati.record();
  expect((await hati.run(['status'])).stdout).toContain('Metrics    not served; the log says why');
  expect((await hati.run(['logs'])).stdout).toContain(
    `Metrics cannot be served: port ${port} is in use`,
  );
});
