import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { httpUrl, reachableHost } from '../client.ts';
import { CommandError } from '../context.ts';
import type { CommandContext } from '../context.ts';
import { loadConfig, nearestProject } from '../project.ts';
import { readRunRecord } from '../run-file.ts';
import type { Server } from './http.ts';
import type { Session } from './session-file.ts';

/** What every command of the control plane takes. */
export interface ApiOptions {
  readonly url?: string;
  readonly key?: string;
  readonly json?: true;
}

/** The control plane that is meant: the one named, else that of the session, else that of the project here. */
export function findServer(
  context: CommandContext,
  { url }: Pick<ApiOptions, 'url'>,
  session: Session | undefined,
): Server {
  const named = url ?? (context.env['HATIDATA_API_URL'] || undefined);
  const found = named === undefined ? (session?.url ?? ownUrl(context)) : normalUrl(named);
  if (found === undefined) {
    throw new CommandError(
      'No control plane is known here: `hati login --url …`, or name it with --url or HATIDATA_API_URL. In a project it is that of the proxy, while it runs.',
    );
  }
  const certificate = ownCertificate(context, found);
  return { url: found, ...(certificate !== undefined && { certificate }) };
}

function ownUrl(context: CommandContext): string | undefined {
  const project = nearestProject(context);
  const api = project && readRunRecord(project.runPath)?.api;
  return api && httpUrl({ ...api, host: reachableHost(api.host) });
}

/** With or without `/v1` and slashes at the end. */
function normalUrl(named: string): string {
  const url = URL.canParse(named) ? new URL(named) : undefined;
  const isFit =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.username + url.password + url.search + url.hash === '';
  if (!isFit) {
    throw new CommandError(
      'The URL of a control plane must be one such as https://api.example.com, without a user or a query.',
      { exitCode: 2 },
    );
  }
  return url.origin + url.pathname.replace(/\/+(?:v1\/*)?$/, '');
}

/** On this machine, what ends TLS for the control plane may show the certificate of the proxy beside it. */
function ownCertificate(context: CommandContext, url: string): Buffer | undefined {
  const { protocol, hostname } = new URL(url);
  const project = nearestProject(context);
  if (protocol !== 'https:' || project === undefined || !isLoopback(hostname)) return undefined;
  const { tls } = loadConfig(project, context).config;
  return tls && readFileSync(tls.certPath);
}

export function isLoopback(hostname: string): boolean {
  const isOfFour = isIPv4(hostname) && hostname.startsWith('127.');
  return hostname === 'localhost' || hostname === '[::1]' || isOfFour;
}
