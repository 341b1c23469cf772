/** `hati reload`: a configuration applies whole, or not at all. */
import { connect, type TLSSocket } from 'node:tls';
import { connect as connectPlain } from 'node:net';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Hati } from './hati.ts';
import { clientOf, isAlive, until, workersOf } from './workers.ts';

const hati = new Hati();
const fixtures = resolve(import.meta.dirname, '../../fixtures/tls');
const [cert, key] = ['cert.pem', 'key.pem'].map((name) => join(hati.base, name)) as [
  string,
  string,
];

function certify(name: 'test-only' | 'test-only-renewed', parts: readonly string[]): void {
  for (const path of parts)
    copyFileSync(join(fixtures, `${name}.${path === cert ? 'cert' : 'key'}.pem`), path);
}

const tls = `[tls]\ncert_path = "${cert}"\nkey_path = "${key}"\n`;

function configure(more = '', proxy = 'listen = "localhost:0"'): void {
  writeFileSync(
    hati.at('config.toml'),
    `[proxy]\n${proxy}\n[dev]\ndev_mode = true\npgpass = false\n${tls}${more}\n`,
  );
}

beforeAll(async () => {
  mkdirSync(hati.at(), { recursive: true, mode: 0o700 });
  certify('test-only', [cert, key]);
  configure();
  expect((await hati.run(['init', '--empty'])).code).toBe(0);
});
afterAll(() => hati.remove());
beforeEach(() => configure());

function workers(): number[] {
  return workersOf(hati.record().pid);
}

interface Refusal {
  readonly name: string;
  readonly change: () => void;
  readonly says: readonly string[];
}

async function reload(): Promise<string> {
  const { code, stdout, stderr } = await hati.run(['reload']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  await until(() => workers().length === 1);
  return stdout;
}

/** Over which certificate clients are served, by its serial number. */
async function serial(): Promise<string> {
  const { port } = hati.record().address;
  const plain = connectPlain({ host: '127.0.0.1', port });
  plain.write(Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]));
  expect(String((await once(plain, 'data'))[0])).toBe('S');
  const secure: TLSSocket = connect({ socket: plain, rejectUnauthorized: false });
  await once(secure, 'secureConnect');
  const { serialNumber } = secure.getPeerCertificate();
  secure.destroy();
  return serialNumber;
}

describe('refused whole', () => {
  const refusals: readonly Refusal[] = [
    {
      name: 'a file with three faults: all of them are told',
      change: () => configure('[limits]\nconnections = "many"\n[pool]\nmode = "fast"\nreders = 3'),
      says: [
        'limits.connections: "many" is not a whole number from 1 to 100000',
        'pool.mode: "fast" is not one of auto, session, transaction',
        'pool.reders: there is no such setting; pool.readers is meant?',
        'Nothing has changed.',
      ],
    },
    {
      name: 'a file that is not TOML',
      change: () => writeFileSync(hati.at('config.toml'), '[limits\nconnections = 3'),
      says: ['the file is not valid TOML', 'Nothing has changed.'],
    },
    {
      name: 'another port, and another place for metrics',
      change: () => configure('[metrics]\nenabled = false', 'listen = "127.0.0.1:1"'),
      says: ["proxy.listen, metrics.enabled: can't be changed while the proxy runs", '`hati stop`'],
    },
    {
      name: 'another engine',
      change: () => configure('[engine]\nurl = "postgres://u:canary@127.0.0.1/d"'),
      says: ["engine.url: can't be changed while the proxy runs"],
    },
    {
      name: 'another account of the embedded engine',
      change: () => configure('[engine]\nuser = "somebody"'),
      says: ["engine.user: can't be changed while the proxy runs"],
    },
    {
      name: 'a certificate without its key',
      change: () => certify('test-only-renewed', [cert]),
      says: [`the key "${key}" does not belong to the certificate "${cert}"`],
    },
    {
      name: 'a certificate that is none',
      change: () => writeFileSync(cert, 'half written'),
      says: [`"${cert}" is not a certificate in PEM`],
    },
  ];

  test.each(refusals)('$name', async ({ change, says }) => {
    const [before, shown] = [workers(), await serial()];
    const log = statSync(hati.at('logs', 'proxy.log')).size;
    change();
    const { code, stdout, stderr } = await hati.run(['reload']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const logged = (): string =>
      readFileSync(hati.at('logs', 'proxy.log')).subarray(log).toString('utf8');
    for (const sentence of says) {
      expect(stderr).toContain(sentence);
      // Written by another process, in its own time.
      await expect
        .poll(logged, { timeout: 5_000 })
        .toContain(JSON.stringify(sentence).slice(1, -1));
    }
    expect(stderr + logged()).not.toContain('canary');
    expect([workers(), await serial()]).toEqual([before, shown]);
    certify('test-only', [cert, key]);
  });

  test('a proxy with a broken file can be stopped, and starts again with a good one', async () => {
    configure('nonsense = [');
    const status = await hati.run(['status']);
    expect(status.code).toBe(0);
    expect(status.stdout).toMatch(/^Ready +yes$/m);
    expect(status.stdout).toMatch(/^Fault +.*config\.toml.*: the file is not valid TOML/m);
    const { code, stdout } = await hati.run(['stop']);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining('stopped') });
    const broken = await hati.run(['start']);
    expect(broken).toMatchObject({ code: 1, stderr: expect.stringContaining('not valid TOML') });
    configure();
    expect((await hati.run(['init'])).code).toBe(0);
  });
});

test('a limit counts for sessions that begin after it; those that are there stay', async () => {
  const ssl = { rejectUnauthorized: false };
  const [one, two] = [await clientOf(hati, { ssl }), await clientOf(hati, { ssl })];
  configure('[limits]\nconnections = 3');
  const { stdout } = await hati.run(['reload']);
  expect(stdout).toContain('2 sessions go on with the old ones.');
  const newcomer = await clientOf(hati, { ssl });
  await expect(clientOf(hati, { ssl })).rejects.toMatchObject({ code: '53300' });
  for (const client of [one, two, newcomer]) {
    expect((await client.query('SELECT 1')).rowCount).toBe(1);
    await client.end();
  }
  configure();
  await reload();
});

test('a renewed certificate is served from then on', async () => {
  const before = await serial();
  certify('test-only-renewed', [cert, key]);
  expect(await serial()).toBe(before);
  await reload();
  expect(await serial()).not.toBe(before);
  certify('test-only', [cert, key]);
  await reload();
  expect(await serial()).toBe(before);
});

test('two who reload at once are each told what became of theirs', async () => {
  configure('[log]\nlevel = "debug"');
  const [first, second] = await Promise.all([hati.run(['reload']), hati.run(['reload'])]);
  expect([first.code, second.code]).toEqual([0, 0]);
  const numbers = [first, second].map(({ stdout }) =>
    Number(/^Generation (\d+)/.exec(stdout)?.[1]),
  );
  expect(numbers[0]).not.toBe(numbers[1]);
  await until(() => workers().length === 1);
});

test('how many workers there are can change', async () => {
  configure('', 'listen = "localhost:0"\nworkers = 2');
  expect((await hati.run(['reload'])).stdout).toContain('2 workers serve');
  await until(() => workers().length === 2);
  configure();
  expect(await reload()).toContain('1 worker serves');
});

test('SIGHUP is a reload', async () => {
  const before = workers();
  process.kill(hati.record().pid, 'SIGHUP');
  await until(() => !before.some(isAlive) && workers().length === 1);
  expect(await serial()).toMatch(/^[0-9A-F]+$/);
});

test('only the owner can ask', () => {
  expect(statSync(hati.record().control!).mode & 0o777).toBe(0o600);
});
