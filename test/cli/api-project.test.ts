import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Person } from './api-cli.ts';
import { Hati } from './hati.ts';

/** In a project the commands find its own control plane. */

const hati = new Hati();
const own = { HATIDATA_API_LISTEN_ADDR: 'localhost:0' };

beforeAll(() => mkdirSync(hati.project));
afterAll(() => hati.remove());

test('its address is shown, and needs no --url', async () => {
  const init = await hati.run(['init', '--empty', '--port', '0'], { env: own });
  expect(init).toMatchObject({ code: 0 });
  expect(init.stderr).toMatch(/owner@hatidata\.local, with the password in \.hati\/owner-password/);
  const { api } = hati.record();
  const url = `http://${api!.host === '::1' ? '[::1]' : api!.host}:${api!.port}`;
  expect(await hati.json('status')).toMatchObject({ api: url });
  // A variable for the commands is no fault of the proxy's configuration.
  const env = { HATIDATA_API_URL: url };
  expect((await hati.run(['status', '--json'], { env })).stdout).toMatch(/"faults": \[\]/);
  expect((await hati.run(['status'])).stdout).toMatch(new RegExp(`^API +${url}$`, 'm'));

  const passwordPath = hati.at('owner-password');
  expect(statSync(passwordPath).mode & 0o777).toBe(0o600);
  const stdin = readFileSync(passwordPath, 'utf8');
  const person = new Person(hati.project);
  const login = ['login', '--email', 'owner@hatidata.local', '--password-stdin'];
  expect(await person.run(login, { stdin })).toMatchObject({ code: 0, stderr: '' });
  expect(person.session).toMatchObject({ url, email: 'owner@hatidata.local' });
  expect(person.sessionPath).toBe(hati.at('session.json'));
  expect(await person.json('whoami')).toMatchObject({ role: 'owner' });

  // Here keys are those of the proxy, by SQL, unless an environment is named. They are the same keys.
  const bySql = await person.out('keys', 'create', 'one', '--scope', 'readonly');
  expect(bySql).toMatch(/^hd_ro_/);
  expect(await person.out('keys', 'list')).toMatch(/^one +\| readonly/m);
  expect(await person.json('keys', 'list', '--env', 'production')).toMatchObject([{ name: 'one' }]);
  expect(await person.fault('keys', 'create', 'x', '--scope', 'admin', '--ip', '::1')).toBe(
    '2 hati: --ip is for keys of a control plane; name the environment with --env.',
  );
  expect(await person.fault('keys', 'rotate', 'one', '--grace', '1')).toMatch(
    /^2 hati: --grace is/,
  );
  expect(await person.out('keys', 'revoke', 'one', '--env', 'production', '--yes')).toBe(
    'The key one is revoked.',
  );
  expect(await person.out('logout')).toBe(`Logged out of ${url}.`);
  person.remove();
});
