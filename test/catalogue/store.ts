/** The superuser of the embedded server, which holds the control store whatever the engine is. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import type { TestProxy } from '../fixtures/proxy.ts';

export function embeddedSuperuser(proxy: TestProxy): pg.ClientConfig {
  const secrets = JSON.parse(readFileSync(join(proxy.directory, 'secrets.json'), 'utf8')) as {
    readonly superuser: string;
  };
  return {
    ...proxy.direct('writer'),
    user: 'hatidata_superuser',
    password: secrets.superuser,
    database: 'postgres',
  };
}

export async function superuserOfStore(
  proxy: TestProxy,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(embeddedSuperuser(proxy));
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}
