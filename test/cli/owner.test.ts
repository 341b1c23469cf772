/** `hati admin create-owner` and `reset-password`, as an operator runs them before the first start. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Hati } from './hati.ts';

const hati = new Hati();
beforeAll(() => {
  // Without `hati init`, which makes an owner.
  mkdirSync(hati.at('.'), { recursive: true });
  writeFileSync(hati.at('config.toml'), 'proxy.listen = "localhost:0"\n');
});
afterAll(() => hati.remove());

test('makes an owner with a password of its own, shown once', async () => {
  const { code, stdout, stderr } = await hati.run(['admin', 'create-owner', 'ada@example.com']);
  expect(stderr).toContain('ada@example.com is the owner of org_');
  expect(stderr).toContain('Keep this password now');
  expect(stdout).toMatch(/^[a-z0-9]{24}\n$/);
  expect(code).toBe(0);
  const again = await hati.run(['admin', 'create-owner', 'grace@example.com', '--json']);
  expect(again).toMatchObject({ code: 1, stdout: '' });
  expect(again.stderr).toContain('the organization has an owner already');
});

test('takes a password from standard input, and says what is wrong with it', async () => {
  const short = await hati.run(['admin', 'create-owner', 'a@example.com', '--password-stdin'], {
    input: 'short\n',
  });
  expect(short).toMatchObject({ code: 1, stdout: '' });
  expect(short.stderr).toContain('password: must have 12 characters or more');
});

test('gives a user who has forgotten his a new one, shown once', async () => {
  const { code, stdout, stderr } = await hati.run(['admin', 'reset-password', 'ada@example.com']);
  expect(stderr).toContain('ada@example.com has a new password; 0 sessions ended.');
  expect(stdout).toMatch(/^[a-z0-9]{24}\n$/);
  expect(code).toBe(0);
  const nobody = await hati.run(['admin', 'reset-password', 'nobody@example.com']);
  expect(nobody).toMatchObject({ code: 1, stdout: '' });
  expect(nobody.stderr).toContain('there is no such user');
});
