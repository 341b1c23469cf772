import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { reachableHost } from './client.ts';
import type { RunRecord } from './run-file.ts';

/** What a proxy tells over HTTP, read by the commands. */

export interface Readiness {
  readonly ready: boolean;
  readonly missing: readonly { readonly part: string; readonly reason: string }[];
}

export type MetricsAddress = NonNullable<RunRecord['metrics']>;

const timeoutMs = 5_000;

/** @returns undefined when nothing answers there. */
export async function readReadiness(address: MetricsAddress): Promise<Readiness | undefined> {
  const body = await get(address, '/ready');
  if (body === undefined) return undefined;
  try {
    const value = JSON.parse(body) as Partial<Readiness> | null;
    if (typeof value?.ready !== 'boolean' || !Array.isArray(value.missing)) return undefined;
    return { ready: value.ready, missing: value.missing };
  } catch {
    return undefined;
  }
}

/** @returns undefined when nothing answers there. */
export function readMetrics(address: MetricsAddress): Promise<string | undefined> {
  return get(address, '/metrics');
}

async function get({ host, port }: MetricsAddress, path: string): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  // Without an agent: a command that has its answer must not wait for a connection that is kept.
  const asked = request(
    { host: reachableHost(host), port, path, agent: false, timeout: timeoutMs },
    (response) => {
      text(response).then(resolve, () => resolve(undefined));
    },
  );
  asked.once('error', () => resolve(undefined));
  asked.once('timeout', () => asked.destroy());
  asked.end();
  return promise;
}
