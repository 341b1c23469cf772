/**
 * Schemathesis against a whole server, as each role and as a key: requests made from /v1/openapi.json, well formed and not, with all of
 * its checks. `--schemathesis` is its program.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { roles } from '../../../src/api/permissions.ts';
import { startTestControlPlane, type TestControlPlane } from '../../fixtures/control-plane.ts';

const { values } = parseArgs({
  options: {
    schemathesis: { type: 'string' },
    examples: { type: 'string', default: '3' },
    seed: { type: 'string', default: '1' },
    /** The boundaries of all fields are tried as the owner and by a key only; the other roles have the rest. */
    brief: { type: 'boolean', default: false },
    as: { type: 'string', multiple: true, default: [...roles, 'key'] },
  },
});
type Role = (typeof roles)[number];

interface Ending {
  readonly name: string;
  readonly operation: string;
  readonly role: Role;
}

/** What each ends, all other requests need: each is tried with a login of its own, after them. */
const endings: readonly Ending[] = [
  { name: 'logging out', operation: 'postAuthLogout', role: 'analyst' },
  // The password that all of them have is the one in the examples of the document.
  { name: 'another password', operation: 'postAuthPassword', role: 'analyst' },
  { name: 'transferring', operation: 'postOrganizationsOrgIdTransfer', role: 'owner' },
];
/** Whoever waits for it has had enough. */
const ended = new AbortController();
process.once('SIGTERM', () => ended.abort());
const directory = mkdtempSync(join(tmpdir(), 'hati-schemathesis-'));

/** By the name of the parameter. */
interface Ids {
  readonly [parameter: string]: readonly string[];
}

/** Things to read and change, and others to end. */
interface Furniture {
  readonly lasting: Ids;
  readonly spare: Ids;
}

async function made(plane: TestControlPlane, path: string, as: string, body?: unknown) {
  const answer = await plane.request('POST', path, { as, body });
  if (answer.status >= 300) throw new Error(`${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** For one round. Of an organization only who made it is a member. @param founder who can make some, and end them */
async function furnish(
  plane: TestControlPlane,
  { as, founder, slug }: { as: string; founder: string; slug: string },
): Promise<Furniture> {
  const { orgId, envId } = plane;
  const organization = `/v1/organizations/${orgId}`;
  const several = <T>(make: (n: number) => Promise<T>) => Promise.all([1, 2, 3].map(make));
  const environments = await several((n) =>
    made(plane, `${organization}/environments`, as, { name: slug, slug: `${slug}-${n}` }),
  );
  const keys = await several((n) =>
    made(plane, `/v1/environments/${envId}/api-keys`, as, {
      name: `${slug} ${n}`,
      scopes: ['query:read'],
    }),
  );
  const hooks = await several(() =>
    made(plane, `${organization}/webhooks`, as, { url: 'http://127.0.0.1:1/' }),
  );
  const organizations = await several((n) =>
    made(plane, '/v1/organizations', founder, {
      name: slug,
      slug: `${slug}-${n}`,
      billing_email: 'billing@example.com',
    }),
  );
  const users = await several(() => plane.signIn('analyst'));
  const invitation = { email: `${slug}@example.com`, role: 'analyst' };
  const invited = await made(plane, `${organization}/users`, as, invitation);
  const [environment, ...spareEnvironments] = environments.map((each) => each.env_id);
  const [key, ...spareKeys] = keys.map((each) => each.key_id);
  const [hook, ...spareHooks] = hooks.map((each) => each.webhook_id);
  const [user, ...spareUsers] = users.map((each) => each.userId);
  const delivery = await made(plane, `${organization}/webhooks/${hook}/test`, as);
  return {
    lasting: {
      org_id: [orgId],
      env_id: [envId],
      target_env_id: [environment],
      key_id: [key],
      webhook_id: [hook],
      delivery_id: [delivery.delivery_id],
      user_id: [user!, invited.user_id],
    },
    spare: {
      org_id: organizations.map((each) => each.org_id),
      env_id: spareEnvironments,
      key_id: spareKeys,
      webhook_id: spareHooks,
      user_id: spareUsers,
    },
  };
}

interface Round {
  readonly name: string;
  readonly credential: string;
  readonly ids: Furniture;
  readonly operations: readonly string[];
}

interface Done {
  readonly isGood: boolean;
  /** Tried. */
  readonly cases: number;
}

async function run(
  plane: TestControlPlane,
  { name, credential, ids, operations }: Round,
): Promise<Done> {
  const child = spawn(
    values.schemathesis!,
    [
      `--config-file=${join(import.meta.dirname, 'schemathesis.toml')}`,
      'run',
      `${plane.base}/v1/openapi.json`,
      `--max-examples=${values.examples}`,
      `--seed=${values.seed}`,
      '--no-color',
      `--header=Authorization: Bearer ${credential}`,
      ...operations,
    ],
    {
      cwd: directory,
      env: {
        ...process.env,
        PYTHONDONTWRITEBYTECODE: '1',
        PYTHONPATH: import.meta.dirname,
        HATIDATA_IDS: JSON.stringify(ids),
        HATIDATA_SEED: values.seed,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
      signal: ended.signal,
    },
  );
  child.on('error', (error) => {
    if (error.name !== 'AbortError') throw error;
  });
  let said = '';
  child.stdout.on('data', (data) => (said += data));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const cases = Number(/(\d+) generated/.exec(said)?.[1] ?? 0);
  process.stdout.write(
    code === 0 && cases > 0 ? `${name}: ${cases} cases\n` : `${name}:\n${said}\n`,
  );
  return { isGood: code === 0 && cases > 0, cases };
}

async function keyFor(plane: TestControlPlane, as: string): Promise<string> {
  const areas = ['environment', 'key', 'user', 'webhook', 'query', 'schema'];
  const scopes = areas.map((area) => `${area}:*`);
  const keys = `/v1/environments/${plane.envId}/api-keys`;
  return (await made(plane, keys, as, { name: 'tester', scopes })).key;
}

const tokenOf = async (role: Role) => (await plane.signIn(role)).token;

/** @returns what became of one role, or a key */
async function tryAs(plane: TestControlPlane, name: string): Promise<Done> {
  const owner = await plane.signIn('owner');
  const isKey = name === 'key';
  const credential = isKey ? await keyFor(plane, owner.token) : await tokenOf(name as Role);
  const founder = isKey ? owner.token : credential;
  const slug = `round-${name.replace('_', '-')}`;
  const ids = await furnish(plane, { as: owner.token, founder, slug });
  const operations = endings.map(({ operation }) => `--exclude-operation-id=${operation}`);
  if (values.brief && name !== 'owner' && name !== 'key')
    operations.push('--phases=examples,fuzzing,stateful');
  return await run(plane, { name, credential, ids, operations });
}

async function tryEnding(
  plane: TestControlPlane,
  { name, operation, role }: Ending,
): Promise<Done> {
  const credential = await tokenOf(role);
  const { userId } = await plane.signIn('analyst');
  const ids = { lasting: { org_id: [plane.orgId], user_id: [userId] }, spare: {} };
  return await run(plane, {
    name,
    credential,
    ids,
    operations: [`--include-operation-id=${operation}`],
  });
}

const plane = await startTestControlPlane();
const all: Done[] = [];
try {
  await plane.store.query(`UPDATE hatidata.organizations SET tier = 'enterprise'`);
  // The first one makes him.
  await plane.signIn('owner');
  const waiting = [...values.as];
  const lane = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift())
      if (!ended.signal.aborted) all.push(await tryAs(plane, name));
  };
  await Promise.all([lane(), lane()]);
  for (const ending of endings) if (!ended.signal.aborted) all.push(await tryEnding(plane, ending));
} finally {
  await plane.stop();
  rmSync(directory, { recursive: true });
}
const cases = all.reduce((sum, done) => sum + done.cases, 0);
const faulty = all.filter(({ isGood }) => !isGood).length;
process.stdout.write(
  `schemathesis: ${cases} cases in ${all.length} runs, ${faulty} of them with faults\n`,
);
process.exitCode = faulty === 0 && !ended.signal.aborted ? 0 : 1;
