import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { People } from './api-cli.ts';

/** What the commands make of servers that are not as they should be, and of TLS. */

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/test-only.${name}.pem`, import.meta.url));

const servers: Server[] = [];
const people = new People();
afterEach(async () => {
  await Promise.all(servers.splice(0).map((each) => new Promise((done) => each.close(done))));
  people.remove();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return (server.address() as AddressInfo).port;
}

const answering =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_, reply) =>
    void reply.writeHead(status, headers).end(body);

function refusing(message: string, hint?: string): string {
  return JSON.stringify({ error: { message, details: { reason: 'x', hint } } });
}

test.each<[string, RequestListener, string]>([
  ['a page', answering(200, '<html>'), '1 hati: URL answered 200, and not as a HatiData'],
  ['a redirect', answering(302, '', { location: '/x' }), '1 hati: URL answered 302, and not as'],
  ['an error of somebody else', answering(500, '{"error":"x"}'), '1 hati: URL answered 500, and'],
  [
    'what would steer the terminal',
    answering(403, refusing('\u001B[2Ja\nb')),
    '1 hati: \\x1b[2Ja\\nb',
  ],
  ['a refusal with a hint', answering(400, refusing('no', 'Try y.')), '2 hati: no\n  Try y.'],
  [
    'a wait that is too long',
    answering(429, refusing('later'), { 'retry-after': '61' }),
    '1 hati: later',
  ],
  [
    'nothing',
    (request) => request.socket.destroy(),
    '1 hati: The control plane at URL cannot be reached: socket hang up',
  ],
])('%s', async (_, listener, said) => {
  const url = `http://127.0.0.1:${await listening(createServer(listener))}`;
  const fault = await people.stranger().fault('whoami', '--url', url, '--key', 'hd_live_x');
  expect(fault.replaceAll(url, 'URL').slice(0, said.length)).toBe(said);
});

test('waits where it is asked to', async () => {
  let times = 0;
  const server = createServer((request, reply) => {
    times += 1;
    if (times === 1) answering(429, refusing('later'), { 'retry-after': '1' })(request, reply);
    else answering(200, '{"kind":"key"}')(request, reply);
  });
  const url = `http://127.0.0.1:${await listening(server)}`;
  const outcome = await people.stranger().run(['whoami', '--url', url, '--key', 'hd_live_x']);
  expect(outcome).toEqual({
    code: 0,
    stdout: 'kind  key\n',
    stderr: 'The server asks to wait 1 s.\n',
  });
});

test('TLS: a certificate that nobody vouches for is good where it is that of the project here', async () => {
  const files = { cert: readFileSync(fixture('cert')), key: readFileSync(fixture('key')) };
  const port = await listening(createTlsServer(files, answering(200, '{"kind":"key"}')));
  const args = ['whoami', '--url', `https://127.0.0.1:${port}`, '--key', 'hd_live_x'];
  expect(await people.stranger().fault(...args)).toMatch(
    /cannot be reached: self.signed certificate/,
  );

  const project = join(people.stranger().home, 'project');
  mkdirSync(join(project, '.hati'), { recursive: true });
  for (const name of ['cert', 'key']) copyFileSync(fixture(name), join(project, `${name}.pem`));
  const settings = '[tls]\ncert_path = "cert.pem"\nkey_path = "key.pem"\n';
  writeFileSync(join(project, '.hati', 'config.toml'), settings);
  expect(await people.stranger(project).out(...args)).toBe('kind  key');
});

test('without TLS a login to another machine warns', async () => {
  const login = ['login', '--email', 'a@example.com', '--password-stdin', '--url'];
  const { stderr } = await people
    .stranger()
    .run([...login, 'http://hati.invalid:8080'], { stdin: 'x' });
  expect(stderr).toMatch(/^Warning: without TLS the password goes to hati\.invalid:8080 readable/);
});
