/** What is asked of a store with many keys, as its users ask it. Milliseconds. */
import type { Kysely } from 'kysely';
import { writeCursor } from '../../src/api/paging.ts';
import { KeyHasher } from '../../src/control/keys/hasher.ts';
import {
  dueForRotation,
  endKeys,
  endOldSecrets,
  markEndingKeys,
  markEndingSecrets,
} from '../../src/control/keys/schedule-store.ts';
import type { ControlSchema } from '../../src/database/schema.ts';
import type { Hati } from '../../test/cli/hati.ts';
import { clientOf } from '../../test/cli/workers.ts';
import { RawClient } from '../../test/fixtures/raw-client.ts';
import type { Stock } from './store.ts';

export interface KeyStage extends Stock {
  readonly hati: Hati;
  /** The store once more, as the product asks it. */
  readonly db: Kysely<ControlSchema>;
  /** An admin's, for requests. */
  readonly adminKey: string;
  readonly repeats: number;
}

export type Times = Readonly<Record<string, readonly number[]>>;

/** What is read of answers, of those that have it. */
interface Answer {
  readonly key_id: string;
  readonly new_key: string;
}

export async function measureKeys(stage: KeyStage): Promise<Times> {
  return { ...(await lists(stage)), ...(await acts(stage)), ...(await sweep(stage)) };
}

async function timed<T>(work: () => Promise<T>): Promise<[ms: number, result: T]> {
  const begun = performance.now();
  const result = await work();
  return [performance.now() - begun, result];
}

/** The first run is for what has to be compiled and read, and does not count. */
async function repeated(
  { repeats }: KeyStage,
  work: () => Promise<unknown>,
  times = repeats,
): Promise<number[]> {
  const found: number[] = [];
  for (let run = 0; run <= times; run += 1) {
    const [ms] = await timed(work);
    if (run > 0) found.push(ms);
  }
  return found;
}

async function ask(
  { hati, envId, adminKey }: KeyStage,
  method: string,
  path = '',
  body?: unknown,
): Promise<Answer> {
  const { host, port } = hati.record().api!;
  const response = await fetch(`http://${host}:${port}/v1/environments/${envId}/api-keys${path}`, {
    method,
    headers: {
      authorization: `Bearer ${adminKey}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const answer = (await response.json()) as Answer;
  if (!response.ok) throw new Error(`${method} ${path}: ${JSON.stringify(answer)}`);
  return answer;
}

async function lists(stage: KeyStage): Promise<Times> {
  const { rows } = await stage.store.query<{ created_at: Date; key_id: string; agent_id: string }>(
    `SELECT created_at, key_id, agent_id FROM hatidata.api_keys WHERE env_id = $1 AND revoked_at IS NULL
      ORDER BY created_at DESC, key_id DESC OFFSET (SELECT count(*) / 2 FROM hatidata.api_keys WHERE env_id = $1) LIMIT 1`,
    [stage.envId],
  );
  const { created_at: at, key_id: keyId, agent_id: name } = rows[0]!;
  const cursor = writeCursor([at.toISOString(), keyId]);
  const list = (query: string) => repeated(stage, () => ask(stage, 'GET', `?${query}`));
  return {
    'list: first page of 50': await list(''),
    'list: a page in the middle': await list(`cursor=${cursor}`),
    'list: active': await list('status=active'),
    'list: revoked': await list('status=revoked'),
    'list: expired': await list('status=expired'),
    'list: by name': await list(`name=${name}`),
    'read one': await repeated(stage, () => ask(stage, 'GET', `/${keyId}`)),
  };
}

async function acts(stage: KeyStage): Promise<Times> {
  const { hati, repeats } = stage;
  const { port } = hati.record().address;
  const names = ['create', 'rotate', 'connect: never seen', 'connect: seen', 'Argon2 alone'];
  const found: Record<string, number[]> = Object.fromEntries(
    [...names, 'revoke: answered', 'revoke: the session has ended'].map((each) => [each, []]),
  );
  const hasher = new KeyHasher();
  await hasher.start();
  for (let run = 0; run <= repeats; run += 1) {
    const note = (what: string, ms: number): void => {
      if (run > 0) found[what]!.push(ms);
    };
    const wish = { name: `measured-${crypto.randomUUID()}`, scopes: ['query:read'] };
    const [createMs, { key_id: keyId }] = await timed(() => ask(stage, 'POST', '', wish));
    note('create', createMs);
    const [rotateMs, { new_key: secret }] = await timed(() =>
      ask(stage, 'POST', `/${keyId}/rotate`, { grace_period_hours: 1 }),
    );
    note('rotate', rotateMs);
    for (const what of ['connect: never seen', 'connect: seen']) {
      const [ms, client] = await timed(() => RawClient.login(port, secret));
      note(what, ms);
      client.close();
    }
    const hash = await hasher.hash(secret);
    note('Argon2 alone', (await timed(() => hasher.verify(hash, secret, 'here')))[0]);
    const session = await clientOf(hati, { password: secret });
    const ended = new Promise<void>((resolve) => session.once('end', () => resolve()));
    const begun = performance.now();
    await ask(stage, 'DELETE', `/${keyId}`);
    note('revoke: answered', performance.now() - begun);
    await ended;
    note('revoke: the session has ended', performance.now() - begun);
  }
  return found;
}

/** Large results among them, which stay in memory for a while. */
export async function measureSql(stage: KeyStage): Promise<Times> {
  const { hati, repeats } = stage;
  const admin = await clientOf(hati);
  const few = Math.min(repeats, 5);
  const sql = (text: string, times?: number) => repeated(stage, () => admin.query(text), times);
  const view = '_hatidata_keys.active_keys';
  const found = {
    'SQL: one agent': await sql(`SELECT * FROM ${view} WHERE agent_id = 'stored-7'`),
    'SQL: the newest ten': await sql(`SELECT * FROM ${view} LIMIT 10`),
    'SQL: count(*)': await sql(`SELECT count(*) FROM ${view}`, few),
    'SQL: all of them': await sql(`TABLE ${view}`, few),
    'hati keys list': await repeated(stage, () => hati.run(['keys', 'list', '--json']), few),
  };
  await admin.end();
  return found;
}

/** What the control plane does each second. */
async function sweep(stage: KeyStage): Promise<Times> {
  const most = 100;
  const undone = new Error('taken back');
  const once = (): Promise<void> =>
    stage.db
      .transaction()
      .execute(async (tx) => {
        const now = new Date();
        const when = { now, soon: new Date(now.getTime() + 24 * 3_600_000), most };
        await endKeys(tx, now, most);
        await endOldSecrets(tx, now, most);
        await dueForRotation(tx, now, most);
        await markEndingSecrets(tx, when);
        await markEndingKeys(tx, when);
        throw undone;
      })
      .catch((error: unknown) => {
        if (error !== undone) throw error;
      });
  return { 'the look for what is due': await repeated(stage, once) };
}
