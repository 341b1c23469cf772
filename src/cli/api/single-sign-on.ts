/** A login in a browser, collected here: https://datatracker.ietf.org/doc/html/rfc8252#section-7.3 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server as Listener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CommandError, writeLine } from '../context.ts';
import type { CommandContext } from '../context.ts';
import { printable } from '../table.ts';
import { callPublic } from './client.ts';
import type { Server } from './http.ts';
import type { Answer } from './routes.ts';

/** The server gives a login no longer than that. */
const longestWaitMs = 10 * 60_000;

/** @param org slug or id. Tokens come as an answer to us alone: what goes through the browser is a code that is worth nothing to others. */
export async function logInByBrowser(
  context: CommandContext,
  server: Server,
  org: string,
): Promise<Answer<'POST /v1/auth/sso/exchange'>> {
  const verifier = random();
  const state = random();
  const listener = createServer();
  try {
    const redirect_uri = await listen(listener);
    const code_challenge = createHash('sha256').update(verifier).digest('base64url');
    const { url } = await callPublic(server, 'POST /v1/auth/sso/start', {
      body: { org_slug: org, redirect_uri, code_challenge, state },
    });
    offer(context, url);
    const code = await codeFor(listener, state);
    return await callPublic(server, 'POST /v1/auth/sso/exchange', {
      body: { code, code_verifier: verifier },
    });
  } finally {
    listener.close();
    listener.closeAllConnections();
  }
}

function random(): string {
  return randomBytes(32).toString('base64url');
}

async function listen(listener: Listener): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  listener.once('error', reject);
  listener.listen(0, '127.0.0.1', resolve);
  await promise;
  return `http://127.0.0.1:${(listener.address() as AddressInfo).port}/`;
}

/** Of the first request that has our state; others are none of ours. */
async function codeFor(listener: Listener, state: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const timer = setTimeout(
    () => reject(new CommandError('Nobody has logged in within ten minutes.')),
    longestWaitMs,
  );
  listener.on('request', ({ url }, response) => {
    const given = new URL(url!, 'http://127.0.0.1').searchParams;
    const code = given.get('code');
    if (given.get('state') !== state) {
      response.writeHead(404).end();
      return;
    }
    const said = code === null ? 'The login failed' : 'You have logged in';
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' });
    // Also where the browser does not wait for the words.
    response.on('close', () => {
      if (code !== null) resolve(code);
      else
        reject(new CommandError(printable(given.get('error_description') ?? 'The login failed.')));
    });
    response.end(`${said}. Go back to the terminal; this page can be closed.\n`);
  });
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

/** For the person, on whatever machine the browser is; and to the browser itself, where there is one here. */
function offer({ stderr, env }: CommandContext, address: string): void {
  // It goes to a program that could take it for something else.
  const url = new URL(address);
  if (!/^https?:$/.test(url.protocol))
    throw new CommandError('The server did not name an address to log in at; is the URL right?');
  writeLine(stderr, `Log in at this address, in a browser on this machine:\n\n  ${url.href}\n`);
  const hasDisplay = Boolean(env['DISPLAY'] || env['WAYLAND_DISPLAY']);
  const opener = process.platform === 'darwin' ? 'open' : hasDisplay ? 'xdg-open' : undefined;
  if (opener === undefined) return;
  const browser = spawn(opener, [url.href], { stdio: 'ignore', detached: true, env });
  // The address has been printed.
  browser.on('error', () => undefined);
  browser.unref();
}
