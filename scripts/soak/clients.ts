/** Who takes part: the same at both proxies. */
import { tmpdir } from 'node:os';
import pg from 'pg';
import { copying, listening } from './clients/copy-and-listen.ts';
import { cancelling, destroyed, suspending } from './clients/hostile.ts';
import { definer, mixed, passing, reader } from './clients/node-pg.ts';
import { pipelining } from './clients/postgres-js.ts';
import { isThere, pgbench, psql, python } from './clients/programs.ts';
import type { Client, Load } from './load.ts';
import type { Place } from './record.ts';
import type { Stage } from './stage.ts';

export interface Clients {
  readonly description: string;
  /** Settles when all have gone. */
  readonly over: Promise<unknown>;
  /** Gives an agent another key; its clients hear 28P01 and come back with it. */
  rotate(): Promise<void>;
}

type Work = (client: Client) => Promise<void>;

export async function startClients(
  load: Load,
  stage: Stage,
  interpreter: string | undefined,
): Promise<Clients> {
  const { steady, restarted, adminKey, readerKey } = stage;
  const running: Promise<void>[] = [];
  const rotating = await RotatingKey.make(stage);
  let id = 0;
  const add = (count: number, kind: string, work: Work, more: Partial<Client> = {}): void => {
    for (const place of [steady, restarted])
      for (let n = 0; n < count; n += 1) {
        id += 1;
        running.push(
          work({
            load,
            place,
            id,
            who: `${kind} ${id} (${place.name})`,
            key: () => adminKey,
            ...more,
          }),
        );
      }
  };
  const ports = [steady.port, restarted.port];
  add(6, 'pg', mixed);
  add(4, 'pg reader', reader, { key: () => readerKey });
  add(2, 'pg passing', passing);
  const { excuses: ownExcuses } = rotating;
  add(2, 'pg reader, key rotated', (client) =>
    reader({ ...client, place: { ...client.place, ownExcuses }, key: () => rotating.key() }),
  );
  add(1, 'pg DDL', definer);
  add(3, 'postgres.js', pipelining);
  add(2, 'COPY', copying);
  add(2, 'LISTEN', listening);
  add(2, 'destroyed', destroyed);
  add(1, 'suspending', suspending);
  add(1, 'cancelling', (client) => cancelling(client, ports));
  const programs: string[] = [];
  if (isThere('psql')) {
    programs.push('psql');
    add(1, 'psql', psql);
  }
  if (isThere('pgbench')) {
    programs.push('pgbench');
    add(1, 'pgbench', (client) => pgbench(client, tmpdir()));
  }
  if (interpreter !== undefined) {
    programs.push('psycopg, asyncpg');
    for (const place of [steady, restarted]) {
      id += 1;
      const who = `Python ${id} (${place.name})`;
      running.push(python({ load, place, id, who, key: () => adminKey }, interpreter));
      id += 1;
    }
  }
  return {
    description: `${id} clients with pg, postgres.js, raw messages, ${programs.join(', ')}`,
    over: Promise.all(running),
    rotate: () => rotating.rotate(),
  };
}

/** How long clients with an old key may still hear of it. */
const rotationMs = 15_000;

class RotatingKey {
  readonly excuses: Place['excuses'] = new Map();
  private current: string;
  private readonly stage: Stage;

  private constructor(stage: Stage, first: string) {
    this.stage = stage;
    this.current = first;
  }

  static async make(stage: Stage): Promise<RotatingKey> {
    return new RotatingKey(
      stage,
      await asked(stage, "SELECT create_api_key('soak-rotated', 'readonly')"),
    );
  }

  key(): string {
    return this.current;
  }

  async rotate(): Promise<void> {
    this.excuses.set('rotation', Date.now() + rotationMs);
    this.current = await asked(this.stage, "SELECT rotate_api_key('soak-rotated')");
  }
}

async function asked({ steady, adminKey }: Stage, sql: string): Promise<string> {
  const client = new pg.Client({
    ...{ host: '127.0.0.1', port: steady.port, user: 'agent', password: adminKey },
    ...{ database: 'hatidata', ssl: false },
  });
  await client.connect();
  try {
    const { rows } = await client.query<[string]>({ text: sql, rowMode: 'array' });
    return rows[0]![0];
  } finally {
    await client.end();
  }
}
