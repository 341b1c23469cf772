/** kill -9 of the proxy, and of PostgreSQL, in the middle of writes: what was acknowledged is there afterwards. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { enterableDirectory } from '../fixtures/enterable-directory.ts';
import { freePort } from '../fixtures/own-postgres.ts';

const run = promisify(execFile);
const hati = fileURLToPath(new URL('../../bin/hati.js', import.meta.url));

let root: string;
let port: number;
/** What the server said yes to. */
const secrets: string[] = [];
const rowsWritten: number[] = [];
let nextRow = 1;

/** As a user would: the command line, with a home of its own. */
async function command(...args: string[]): Promise<string> {
  const env = {
    ...process.env,
    HOME: root,
    PGPASSFILE: join(root, 'pgpass'),
    HATIDATA_METRICS_LISTEN_ADDR: 'localhost:0',
    HATIDATA_API_LISTEN_ADDR: 'localhost:0',
  };
  const { stdout } = await run(process.execPath, [hati, ...args], { cwd: root, env });
  return stdout;
}

beforeAll(async () => {
  root = enterableDirectory('hati-kill-');
  port = await freePort();
  await command('init', root, '--port', String(port), '--empty');
});
afterAll(async () => {
  await command('stop');
  rmSync(root, { recursive: true, force: true });
});

async function connect(password = ''): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port, user: 'x', password, ssl: false });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Writes until the connection breaks, noting each acknowledgement. */
async function writeUntilBroken(): Promise<void> {
  const client = await connect();
  await client.query('CREATE TABLE IF NOT EXISTS acknowledged (id int PRIMARY KEY)');
  try {
    for (;;) {
      // A row in flight when the end comes may be there or not; its number is not used again.
      const row = nextRow++;
      await client.query('INSERT INTO acknowledged VALUES ($1)', [row]);
      rowsWritten.push(row);
      if (row % 20 === 0) {
        const { rows } = await client.query("SELECT create_api_key($1, 'readonly')", [
          `agent-${row}`,
        ]);
        secrets.push(rows[0].api_key);
      }
    }
  } catch {
    await client.end().catch(() => undefined);
  }
}

async function expectEverything(): Promise<void> {
  const admin = await connect();
  const { rows } = await admin.query(
    'SELECT count(*)::int AS n FROM acknowledged WHERE id = ANY ($1)',
    [rowsWritten],
  );
  await admin.end();
  expect(rows[0].n).toBe(rowsWritten.length);
  for (const secret of secrets) await (await connect(secret)).end();
}

test.each(['proxy', 'PostgreSQL', 'proxy'])('kill -9 of the %s', async (what) => {
  const record = JSON.parse(readFileSync(join(root, '.hati/run/proxy.json'), 'utf8')) as {
    pid: number;
  };
  const pid =
    what === 'proxy'
      ? record.pid
      : Number(readFileSync(join(root, '.hati/data/postmaster.pid'), 'utf8').split('\n')[0]);
  const enough = rowsWritten.length + 50;
  const writing = writeUntilBroken();
  while (rowsWritten.length < enough) await new Promise((resolve) => setTimeout(resolve, 10));
  process.kill(pid, 'SIGKILL');
  await writing;
  if (what === 'proxy') {
    expect(await command('init', root)).toBe(
      `HatiData initialized successfully.\nProxy running on localhost:${port}\n`,
    );
  } else {
    for (let tries = 0; ; tries += 1) {
      // Who connects hears of the engine with the first statement.
      const back = await connect().catch(() => undefined);
      const answer = await back?.query('SELECT 1').catch(() => undefined);
      await back?.end();
      if (answer !== undefined) break;
      expect(tries).toBeLessThan(200);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  await expectEverything();
});
