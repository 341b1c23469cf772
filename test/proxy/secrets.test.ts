/** A canary key: after everything that can be done with it, it is found nowhere but in the hands of its owner. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';

let proxy: TestProxy;

beforeAll(async () => {
  proxy = await startTestProxy();
});
afterAll(() => proxy.stop());

test('a key is in no log, record, activity view, error or file', async () => {
  const admin = await proxy.client();
  const texts: string[] = [];
  const note = async (work: Promise<unknown>): Promise<void> => {
    texts.push(
      JSON.stringify(
        await work.catch((error: unknown) => ({ ...(error as object), text: String(error) })),
      ),
    );
  };
  /** What the others then see of it. */
  const canaryInTheWrongPlaces = async (config: pg.ClientConfig): Promise<unknown> => {
    const client = await proxy.client('', config);
    await client.query(`SET application_name = '${config.application_name}'`);
    return (await admin.query('SELECT * FROM pg_stat_activity')).rows;
  };
  const key: string = (await admin.query("SELECT create_api_key('canary', 'admin', 'tells')"))
    .rows[0].api_key;
  const bystander = await proxy.client(key);
  await note(bystander.query('SELECT * FROM pg_stat_activity'));
  await note(bystander.query('SELECT * FROM pg_settings'));
  await note(proxy.client(`${key}x`));
  await note(
    canaryInTheWrongPlaces({ application_name: key, options: `-c hatidata_api_key=${key}` }),
  );
  await note(admin.query(`SELECT create_api_key('${key.slice(0, 20)}', 'nonsense')`));
  await note(admin.query('SELECT * FROM _hatidata_keys.active_keys'));
  await note(
    admin.query('SELECT * FROM _hatidata_keys.active_keys WHERE agent_id = $1', ['canary']),
  );
  const rotated: string = (await admin.query("SELECT rotate_api_key('canary')")).rows[0].api_key;
  await note(proxy.client(key));

  const control = new pg.Client(proxy.direct('control'));
  await control.connect();
  for (const relation of ['api_keys', 'api_key_secrets', 'iam_audit']) {
    await note(
      control.query(`SELECT t::text FROM hatidata.${relation} t`).then(({ rows }) => rows),
    );
  }
  await control.end();
  texts.push(
    proxy.logged(),
    ...filesBelow(proxy.directory).map((path) => readFileSync(path, 'latin1')),
  );

  for (const secret of [key, rotated].map((each) => each.slice(17))) {
    expect(texts.filter((text) => text.includes(secret)).map((text) => text.slice(0, 200))).toEqual(
      [],
    );
  }
  expect(texts.some((text) => text.includes('canary'))).toBe(true);
}, 60_000);

/** Every file of the project, the data and the write-ahead log of the engine among them. */
function filesBelow(directory: string): string[] {
  return readdirSync(directory).flatMap((name) => {
    const path = join(directory, name);
    const entry = statSync(path);
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() ? [path] : [];
  });
}
