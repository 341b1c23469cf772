import { text } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import { CommandError, writeLine } from '../context.ts';
import type { CommandContext } from '../context.ts';
import { ask, isAtTerminal } from './ask.ts';
import { ApiClient, callPublic, openApi, sessionTokens } from './client.ts';
import { ApiFault } from './faults.ts';
import type { Server } from './http.ts';
import { withApi } from './options.ts';
import type { Answer } from './routes.ts';
import { findServer, isLoopback } from './server.ts';
import type { ApiOptions } from './server.ts';
import {
  readSession,
  removeSession,
  sessionPath,
  withSessionLock,
  writeSession,
} from './session-file.ts';
import { showDone, showOne } from './shown.ts';
import { logInByBrowser } from './single-sign-on.ts';

interface LoginOptions {
  readonly url?: string;
  readonly email?: string;
  readonly passwordStdin?: true;
  readonly code?: string;
  readonly org?: string;
  readonly sso?: true;
  readonly json?: true;
}

interface Credentials {
  readonly email: string;
  readonly password: string;
  readonly totp_code?: string | undefined;
  readonly org_id?: string | undefined;
}

type LoggedIn = Answer<'POST /v1/auth/login'>;

export function loginCommand(context: CommandContext): Command {
  return new Command('login')
    .description('log in to a control plane; the session is kept in .hati, or in ~/.hatidata')
    .option('--url <url>', 'the control plane, or HATIDATA_API_URL (default: of the project here)')
    .option('--email <email>', 'who; asked for on a terminal')
    .option('--password-stdin', 'read the password from standard input; asked for on a terminal')
    .option(
      '--code <code>',
      'what the authenticator shows, or a recovery code, where there is a second factor',
    )
    .option('--org <id or slug>', 'the organization (default: the one that you joined first)')
    .addOption(
      new Option('--sso', 'by single sign-on, in a browser; needs --org').conflicts([
        'email',
        'passwordStdin',
        'code',
      ]),
    )
    .option('--json', 'as JSON')
    .addHelpText(
      'after',
      `
Examples:
  hati login
  hati login --url https://hati.example.com --email ada@example.com
  hati login --email ada@example.com --password-stdin < password.txt
  hati login --url https://hati.example.com --sso --org acme`,
    )
    .action((options: LoginOptions) => login(context, options));
}

export function logoutCommand(context: CommandContext): Command {
  return new Command('logout')
    .description('end the session, here and on the server')
    .option('--json', 'as JSON')
    .action((options: Pick<ApiOptions, 'json'>) => logout(context, options));
}

export function whoamiCommand(context: CommandContext): Command {
  return withApi(new Command('whoami'))
    .description('who the control plane takes you for')
    .action(async (options: ApiOptions) => {
      const api = openApi(context, options);
      showOne(context, options, await api.call('GET /v1/auth/me'));
    });
}

async function login(context: CommandContext, options: LoginOptions): Promise<void> {
  const path = sessionPath(context);
  const server = findServer(context, options, readSession(path));
  const { protocol, hostname, host } = new URL(server.url);
  if (protocol === 'http:' && !isLoopback(hostname)) {
    writeLine(
      context.stderr,
      `Warning: without TLS the ${options.sso ? 'login' : 'password'} goes to ${host} readable for all.`,
    );
  }
  const found = options.sso
    ? await logInByBrowser(context, server, organizationOf(options))
    : await logInByPassword(context, server, options);
  const { user, org } = found;
  const session = { url: server.url, email: user.email, org_id: org.id, ...sessionTokens(found) };
  await withSessionLock(path, () => Promise.resolve(writeSession(path, session)));
  showDone(
    context,
    options,
    { url: server.url, user, org, expires_at: session.expires_at },
    `Logged in to ${server.url} as ${user.email}, ${user.role} of ${org.name} (${org.slug}).`,
  );
}

function organizationOf({ org }: LoginOptions): string {
  if (org !== undefined) return org;
  throw new CommandError('Single sign-on is that of an organization; give --org.', { exitCode: 2 });
}

async function logInByPassword(
  context: CommandContext,
  server: Server,
  options: LoginOptions,
): Promise<LoggedIn> {
  const email = options.email ?? (await asked(context, 'Email: ', '--email'));
  const password =
    options.passwordStdin === true
      ? (await text(context.stdin)).replace(/\r?\n$/, '')
      : await asked(context, 'Password: ', '--password-stdin');
  const org_id = options.org?.startsWith('org_') === true ? options.org : undefined;
  const credentials = { email, password, totp_code: options.code, org_id };
  const found = await enter(context, server, credentials);
  const slug = org_id === undefined ? options.org : undefined;
  return slug === undefined || found.org.slug === slug
    ? found
    : await changeOrganization(context, server, { found, slug, credentials });
}

async function asked(context: CommandContext, question: string, flag: string): Promise<string> {
  if (isAtTerminal(context)) {
    return await ask(context, question, { isSecret: flag === '--password-stdin' });
  }
  throw new CommandError(`Nobody can be asked here; give ${flag}.`, { exitCode: 2 });
}

/** Asks for the code of a second factor where one is missing. */
async function enter(
  context: CommandContext,
  server: Server,
  credentials: Credentials,
): Promise<LoggedIn> {
  try {
    return await callPublic(server, 'POST /v1/auth/login', { body: credentials });
  } catch (error) {
    const needsCode = error instanceof ApiFault && error.reason === 'second_factor_missing';
    if (!needsCode || !isAtTerminal(context)) throw error;
    const totp_code = (await ask(context, 'Code: ')).trim();
    return await callPublic(server, 'POST /v1/auth/login', { body: { ...credentials, totp_code } });
  }
}

/** The API takes ids only, and tells them to those who have logged in. */
async function changeOrganization(
  context: CommandContext,
  server: Server,
  { found, slug, credentials }: { found: LoggedIn; slug: string; credentials: Credentials },
): Promise<LoggedIn> {
  const api = new ApiClient(context, server, { kind: 'fixed', secret: found.token });
  const caller = await api.call('GET /v1/auth/me');
  await api.call('POST /v1/auth/logout');
  const memberships = caller.kind === 'user' ? caller.memberships : [];
  const wanted = memberships.find((each) => each.slug === slug);
  if (wanted === undefined) {
    const known = memberships.map((each) => each.slug).join(', ');
    throw new CommandError(`You are not in an organization "${slug}"; you are in ${known}.`);
  }
  const { org_id } = wanted;
  if (caller.kind === 'user' && caller.mfa_enabled && credentials.totp_code !== undefined) {
    throw new CommandError(
      `A code is good once, and it was needed to look for "${slug}"; use the next one with --org ${org_id}.`,
    );
  }
  return await enter(context, server, { ...credentials, org_id });
}

async function logout(context: CommandContext, options: Pick<ApiOptions, 'json'>): Promise<void> {
  const path = sessionPath(context);
  const session = readSession(path);
  if (session === undefined) throw new CommandError('Nobody has logged in from here.');
  const server = findServer(context, { url: session.url }, session);
  const api = new ApiClient(context, server, { kind: 'session', session, path });
  try {
    const body = await api.call('POST /v1/auth/logout');
    showDone(context, options, body, `Logged out of ${server.url}.`);
  } catch (error) {
    if (error instanceof ApiFault && error.status === 401) {
      showDone(context, options, {}, `The login at ${server.url} had ended already.`);
      return;
    }
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(
      `The session is forgotten here, but the server did not end it: ${reason}`,
    );
  } finally {
    removeSession(path);
  }
}
