/** A proxy with two engine connections a role, and what tests of it look at. */
import pg from 'pg';
import type { Config } from '../../src/config.ts';
import { loginUrl, startTestProxy, testConfig, type TestProxy } from '../fixtures/proxy.ts';
import { Relay } from '../fixtures/relay.ts';

export const smallPool = { ...testConfig('').pool, readers: 2, writers: 2 };
export const clientCount = 20;

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until it holds; vitest bounds the time. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(20);
}

/** The first column of the first row. */
export async function value(
  client: pg.Client,
  text: string,
  values: readonly unknown[] = [],
): Promise<unknown> {
  const { rows } = await client.query<unknown[]>({ text, values: [...values], rowMode: 'array' });
  return rows[0]?.[0];
}

/** The SQLSTATE that a promise rejects with; what it resolves to otherwise is a failure. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'no error';
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
}

/** A look at the engine around the proxy. */
export class Engine implements AsyncDisposable {
  private readonly client: pg.Client;

  private constructor(client: pg.Client) {
    this.client = client;
  }

  static async look(proxy: TestProxy): Promise<Engine> {
    const client = new pg.Client(proxy.direct('control'));
    client.on('error', () => undefined);
    await client.connect();
    return new Engine(client);
  }

  query(text: string, values: unknown[] = []): Promise<pg.QueryResult> {
    return this.client.query(text, values);
  }

  /** Process ids of the backends that the pool of admin keys has. */
  async writers(): Promise<number[]> {
    const { rows } = await this.client.query<{ pid: number }>(
      "SELECT pid FROM pg_stat_activity WHERE usename = 'hatidata_writer'",
    );
    return rows.map(({ pid }) => pid);
  }

  /** Those of them that are in a transaction, whatever they say of it: they have locks or a snapshot. */
  async inTransaction(): Promise<unknown[]> {
    const { rows } = await this.client.query(
      `SELECT DISTINCT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
       WHERE usename = 'hatidata_writer' AND locktype = 'virtualxid'`,
    );
    return rows;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.end();
  }
}

export interface Relayed extends AsyncDisposable {
  readonly relay: Relay;
  readonly proxy: TestProxy;
}

/** A second proxy that reaches the engine of the first one through a relay. */
export async function startRelayed(first: TestProxy, more: Partial<Config> = {}): Promise<Relayed> {
  const writer = first.direct('writer');
  const relay = await Relay.start(`${writer.host}/.s.PGSQL.${writer.port}`);
  const url = (role: 'reader' | 'writer'): string => {
    const { user, password, database } = first.direct(role);
    return `postgres://${user}:${String(password)}@${relay.address}/${database}?sslmode=disable`;
  };
  const proxy = await startTestProxy({
    pool: smallPool,
    engine: { kind: 'url', url: url('writer'), readerUrl: url('reader') },
    controlDatabaseUrl: loginUrl(first.direct('control')),
    ...more,
  });
  return {
    relay,
    proxy,
    [Symbol.asyncDispose]: async () => {
      relay.set({});
      relay.cut();
      await proxy.stop();
      relay.stop();
    },
  };
}
