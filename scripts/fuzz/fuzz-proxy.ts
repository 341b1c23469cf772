/** The proxy that the frames go to: in this process, not in dev mode, with tables, two readonly keys and a neighbour. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { pino } from 'pino';
import { enterableDirectory } from '../../test/fixtures/enterable-directory.ts';
import { startTestProxy, type TestProxy } from '../../test/fixtures/proxy.ts';
import { digestOf } from './digest.ts';

export interface FuzzProxy {
  readonly port: number;
  readonly key: string;
  /** Of the data database, its roles and settings, and the keys. */
  digest(): Promise<string>;
  /** Backends of readonly sessions. */
  engineSessions(): Promise<number>;
  /** What kept the neighbour from its answers, so far. */
  neighbourFaults(): readonly string[];
  stop(): Promise<void>;
}

const silent = { log: pino({ level: 'silent' }) };

export async function startFuzzProxy(): Promise<FuzzProxy> {
  const directory = join(enterableDirectory('hati-fuzz-'), '.hati');
  const remove = (): void => rmSync(join(directory, '..'), { recursive: true, force: true });
  process.once('exit', remove);
  const [key, neighbourKey] = await prepare(directory);
  // In dev mode a client without a key is the administrator; a mutated key might become none.
  const proxy = await startTestProxy({ directory, devMode: false }, silent);
  const neighbour = new Neighbour(await proxy.client(neighbourKey));
  const writer = await connected(proxy.direct('writer'));
  const control = await connected(proxy.direct('control'));
  const ask = (client: pg.Client) => async (sql: string) => {
    const { rows } = await client.query<(string | null)[]>({ text: sql, rowMode: 'array' });
    return rows;
  };
  return {
    port: proxy.port,
    key,
    digest: async () => {
      const keys = await ask(control)(keysSql);
      return `${await digestOf(ask(writer))}\n${JSON.stringify(keys)}`;
    },
    engineSessions: async () => {
      const rows = await ask(writer)(sessionsSql);
      return Number(rows[0]?.[0]);
    },
    neighbourFaults: () => neighbour.faults,
    stop: async () => {
      await neighbour.stop();
      await Promise.all([writer.end(), control.end()]);
      await proxy.stop();
      process.off('exit', remove);
      remove();
    },
  };
}

const keysSql = 'SELECT agent_id, scope FROM _hatidata_keys.active_keys ORDER BY 1';
const sessionsSql = `SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'hatidata_reader'`;

/** Tables and keys, by the local administrator of dev mode. */
async function prepare(directory: string): Promise<readonly [string, string]> {
  const proxy: TestProxy = await startTestProxy({ directory }, silent);
  try {
    const admin = await proxy.client();
    await admin.query(`
      CREATE TABLE fuzzed (id int PRIMARY KEY, name text);
      INSERT INTO fuzzed SELECT i, 'name ' || i FROM generate_series(1, 5) AS i`);
    const make = async (agent: string): Promise<string> => {
      const { rows } = await admin.query<{ api_key: string }>(
        `SELECT create_api_key('${agent}', 'readonly')`,
      );
      return rows[0]!.api_key;
    };
    return [await make('fuzzer'), await make('neighbour')];
  } finally {
    await proxy.stop();
  }
}

async function connected(config: pg.ClientConfig): Promise<pg.Client> {
  const client = new pg.Client(config);
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Another agent, who goes on asking and must go on being answered. */
class Neighbour {
  readonly faults: string[] = [];
  readonly #client: pg.Client;
  #isStopping = false;
  readonly #done: Promise<void>;

  constructor(client: pg.Client) {
    this.#client = client;
    this.#done = this.#ask();
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#done;
  }

  async #ask(): Promise<void> {
    for (let turn = 0; !this.#isStopping; turn += 1) {
      try {
        const late = new Promise<never>((_resolve, reject) => {
          setTimeout(() => reject(new Error('no answer within 5 s')), 5_000).unref();
        });
        const asked = this.#client.query<{ n: number }>('SELECT $1::int AS n', [turn]);
        const { rows } = await Promise.race([asked, late]);
        if (rows[0]?.n !== turn) this.faults.push(`answered ${rows[0]?.n} for ${turn}`);
      } catch (error) {
        this.faults.push(error instanceof Error ? error.message : String(error));
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
