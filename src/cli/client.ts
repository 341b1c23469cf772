import { readFileSync } from 'node:fs';
import type { ConnectionOptions } from 'node:tls';
import { Client, DatabaseError } from 'pg';
import type { Config } from '../config.ts';
import { CommandError } from './context.ts';
import type { CommandContext } from './context.ts';
import { keylessPassword } from './pgpass.ts';
import { findProject, loadConfig } from './project.ts';
import type { Project } from './project.ts';
import { readRunRecord } from './run-file.ts';

export interface ClientOptions {
  /** An API key; without one we are the local administrator, where dev mode allows it. */
  readonly key?: string | undefined;
}

/** Runs `work` on a connection to this project's own proxy, as any other client of it. */
export async function withClient<T>(
  context: CommandContext,
  { key }: ClientOptions,
  work: (client: Client) => Promise<T>,
): Promise<T> {
  const project = findProject(context);
  const { config } = loadConfig(project, context);
  const apiKey = key ?? (context.env['HATIDATA_API_KEY'] || undefined);
  const client = await connect(context, project, config, apiKey);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

export async function connect(
  { env }: Pick<CommandContext, 'env'>,
  project: Project,
  config: Config,
  apiKey: string | undefined,
): Promise<Client> {
  const address = readRunRecord(project.runPath)?.address;
  if (address === undefined) {
    throw new CommandError(
      `The proxy of ${project.root} is not running; start it with \`hati init\` or \`hati start\`.`,
    );
  }
  const client = new Client({
    host: reachableHost(address.host),
    port: address.port,
    user: 'admin',
    database: 'hatidata',
    password: apiKey ?? keylessPassword,
    application_name: 'hati',
    connectionTimeoutMillis: 10_000,
    ssl: encryption(config, env),
  });
  // The query that is running rejects as well; without a listener Node would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => {});
    if (error instanceof DatabaseError && error.code === '28P01' && apiKey === undefined) {
      throw new CommandError(
        'This proxy needs a key (dev mode is off); give one with --key or HATIDATA_API_KEY.',
        { cause: error },
      );
    }
    throw error;
  }
}

/** Where this machine reaches a listener on `host`. */
export function reachableHost(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1';
  if (host === '::') return '::1';
  return host;
}

export function httpUrl({
  host,
  port,
  hasTls = false,
}: {
  readonly host: string;
  readonly port: number;
  readonly hasTls?: boolean;
}): string {
  return `http${hasTls ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/**
 * The proxy's own certificate, read from where the proxy reads it, is the one that must answer. Its name is not
 * compared: we connect by a loopback address, which no public certificate carries.
 */
function encryption({ tls }: Config, env: CommandContext['env']): false | ConnectionOptions {
  if (tls === undefined) return false;
  return {
    ca: readFileSync(tls.certPath),
    allowPartialTrustChain: true,
    checkServerIdentity: () => undefined,
    ...(tls.clientCertificates !== undefined && clientCertificate(env)),
  };
}

/** Where the proxy asks for one, by the names that libpq has for it. */
function clientCertificate(env: CommandContext['env']): ConnectionOptions {
  const [cert, key] = [env['PGSSLCERT'], env['PGSSLKEY']];
  if (!cert || !key) return {};
  try {
    return { cert: readFileSync(cert), key: readFileSync(key) };
  } catch (cause) {
    throw new CommandError(`PGSSLCERT and PGSSLKEY: ${(cause as Error).message}`, { cause });
  }
}
