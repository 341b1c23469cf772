/** `hati init` as a person types it, on real proxies with their embedded PostgreSQL. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Hati } from './hati.ts';

const hati = new Hati();

beforeAll(async () => {
  const outcome = await hati.run(['init', hati.project, '--port', '0'], { cwd: hati.base });
  expect(outcome).toMatchObject({
    code: 0,
    stdout: `HatiData initialized successfully.\nProxy running on localhost:${hati.record().address.port}\n`,
  });
});
afterAll(() => hati.remove());

describe('init', () => {
  test('closes .hati to others and keeps it out of version control', () => {
    // As root, the user that PostgreSQL runs as may enter it, and no more.
    expect(statSync(hati.at()).mode & 0o767).toBe(0o700);
    expect(statSync(hati.at('config.toml')).mode & 0o777).toBe(0o600);
    expect(readFileSync(hati.at('.gitignore'), 'utf8')).toBe('*\n');
  });

  test('makes 42 products that fit the walk-through', async () => {
    expect(
      await hati.json('query', 'SELECT count(*), count(DISTINCT name) AS names FROM products'),
    ).toEqual([{ count: 42, names: 42 }]);
    expect(
      await hati.json(
        'query',
        `SELECT column_name, data_type, is_nullable FROM information_schema.columns
          WHERE table_schema = 'main' AND table_name = 'products' ORDER BY ordinal_position`,
      ),
    ).toEqual([
      { column_name: 'id', data_type: 'integer', is_nullable: 'NO' },
      { column_name: 'name', data_type: 'text', is_nullable: 'NO' },
      { column_name: 'category', data_type: 'text', is_nullable: 'YES' },
      { column_name: 'price', data_type: 'numeric', is_nullable: 'YES' },
    ]);
    const insert = await hati.run([
      'query',
      "BEGIN; INSERT INTO products (id, name, price) VALUES (1000, 'Widget', 9.99); ROLLBACK",
    ]);
    expect(insert).toMatchObject({ code: 0, stdout: 'BEGIN\nINSERT 1\nROLLBACK\n' });
  });

  test('again changes nothing and says the same', async () => {
    const before = hati.record();
    const config = readFileSync(hati.at('config.toml'), 'utf8');
    const outcome = await hati.run(['init']);
    expect(outcome).toMatchObject({
      code: 0,
      stdout: `HatiData initialized successfully.\nProxy running on localhost:${before.address.port}\n`,
    });
    expect(hati.record().pid).toBe(before.pid);
    expect(readFileSync(hati.at('config.toml'), 'utf8')).toBe(config);
  });

  test('refuses another port for a proxy that runs', async () => {
    const { code, stderr } = await hati.run(['init', '--port', '1']);
    expect(code).toBe(1);
    expect(stderr).toContain(`runs on port ${hati.record().address.port} already`);
  });

  test('names a taken port and the way out, and leaves nothing behind', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve);
    });
    const { port } = other.address() as AddressInfo;
    try {
      const elsewhere = join(hati.base, 'elsewhere');
      const { code, stdout, stderr } = await hati.run(['init', elsewhere, '--port', String(port)]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(`Port ${port} is in use by `);
      if (process.platform === 'linux') expect(stderr).toContain(`(process ${process.pid})`);
      expect(stderr).toContain(`hati init --port ${port + 1}`);
      expect(statSync(join(elsewhere, '.hati'), { throwIfNoEntry: false })).toBeUndefined();
    } finally {
      await new Promise((resolve) => {
        other.close(resolve);
      });
    }
  });

  test('of two at once, both succeed, with one proxy and one table', async () => {
    const twice = join(hati.base, 'twice');
    mkdirSync(twice);
    const outcomes = await Promise.all(
      [1, 2].map(() => hati.run(['init', '--port', '0'], { cwd: twice })),
    );
    expect(outcomes).toMatchObject([{ code: 0 }, { code: 0 }]);
    expect(outcomes[0]?.stdout).toBe(outcomes[1]?.stdout);
    const { stdout } = await hati.run(['query', 'SELECT count(*) FROM products'], { cwd: twice });
    expect(stdout).toContain('42');
    expect((await hati.run(['stop'], { cwd: twice })).code).toBe(0);
  });

  test('cut short before the sample table, is finished by the next', async () => {
    await hati.run(['query', 'DROP TABLE products']);
    writeFileSync(hati.at('sample-pending'), '');
    expect((await hati.run(['init'])).code).toBe(0);
    expect(await hati.json('query', 'SELECT count(*) FROM products')).toEqual([{ count: 42 }]);
    expect(existsSync(hati.at('sample-pending'))).toBe(false);
  });

  test('with a certificate: the commands reach their own proxy over TLS', async () => {
    const secure = join(hati.base, 'secure');
    const certificate = resolve(import.meta.dirname, '../../fixtures/tls/test-only');
    const options = {
      cwd: secure,
      env: {
        HATIDATA_TLS_CERT_PATH: `${certificate}.cert.pem`,
        HATIDATA_TLS_KEY_PATH: `${certificate}.key.pem`,
      },
    };
    mkdirSync(secure);
    expect((await hati.run(['init', '--empty', '--port', '0'], options)).code).toBe(0);
    expect((await hati.run(['status'], options)).code).toBe(0);
    expect((await hati.run(['query', 'SELECT 1 AS n'], options)).stdout).toBe('n\n-\n1\n');
    expect((await hati.run(['stop'], options)).code).toBe(0);
  });

  test('tells all faults of a broken configuration', async () => {
    const broken = join(hati.base, 'broken');
    mkdirSync(join(broken, '.hati'), { recursive: true });
    writeFileSync(
      join(broken, '.hati', 'config.toml'),
      '[dev]\ndev_mode = 7\n[log]\nlevel = "loud"\n',
    );
    for (const command of ['init', 'start', 'status']) {
      const { code, stdout, stderr } = await hati.run([command], { cwd: broken });
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain('dev.dev_mode: 7 is not true or false');
      expect(stderr).toContain('log.level: "loud" is not one of');
    }
  });

  test('shows why the proxy could not start, without the password of the URL', async () => {
    const outcome = await hati.run(['init', join(hati.base, 'unreachable'), '--port', '0'], {
      env: { HATIDATA_ENGINE_URL: 'postgres://app:canary-pass@127.0.0.1:1/app' },
    });
    expect(outcome).toMatchObject({ code: 1, stdout: '' });
    expect(outcome.stderr).toMatch(/The proxy ended while starting[\s\S]*ECONNREFUSED/);
    expect(outcome.stderr).not.toContain('canary-pass');
    const log = join(hati.base, 'unreachable', '.hati', 'logs', 'proxy.log');
    expect(readFileSync(log, 'utf8')).not.toContain('canary-pass');
  });
});
