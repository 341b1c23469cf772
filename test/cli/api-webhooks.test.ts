import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { startReceiver, type Receiver } from '../fixtures/webhook-receiver.ts';
import { personWith } from './api-cli.ts';

/** `hati webhooks` against a real server and a real receiver. */

let plane: TestControlPlane;
let receiver: Receiver;
let owner: Awaited<ReturnType<typeof personWith>>;

beforeAll(async () => {
  plane = await startTestControlPlane();
  receiver = await startReceiver();
  owner = await personWith(plane);
});
afterAll(async () => {
  owner.remove();
  await receiver.close();
  await plane.stop();
});

test('from the first to the last', async () => {
  const create = ['webhooks', 'create', receiver.url, '--event', 'key.rotated', '--event'];
  const { stdout, stderr } = await owner.run([...create, 'key.expiring', '--description', 'CI']);
  expect(stdout).toMatch(/^whsec_[A-Za-z0-9]{40}\n$/);
  const id = /wh_\w+/.exec(stderr)![0];
  expect(stderr).toBe(
    `The webhook ${id} is active.\nKeep this signing secret now; it cannot be shown again.\n`,
  );
  expect(await owner.out('webhooks', 'list')).toMatch(
    new RegExp(`^${id} .*\\| active \\| key\\.rotated, key\\.expiring \\| -`, 'm'),
  );
  expect(await owner.json('webhooks', 'list')).toMatchObject([{ webhook_id: id }]);
  expect(await owner.out('webhooks', 'show', id)).toMatch(/^description +CI$/m);

  expect(await owner.out('webhooks', 'test', id)).toMatch(/^whd_\w+ is on its way\.$/);
  const [first] = await receiver.waitFor(1);
  expect(first!.body).toMatchObject({ type: 'webhook.test' });
  await expect
    .poll(() => owner.out('webhooks', 'deliveries', id, '--state', 'delivered'))
    .toMatch(/^whd_\w+ +\| webhook\.test \| delivered \| +1 \| +\d{3} \| - /m);
  const [delivery] = await owner.json('webhooks', 'deliveries', id);
  const redelivered = await owner.out('webhooks', 'redeliver', id, delivery.delivery_id);
  expect(redelivered).toMatch(/^whd_\w+ is on its way\.$/);
  const [, second] = await receiver.waitFor(2);
  expect(second!.body.event_id).toBe(first!.body.event_id);

  const rotated = await owner.run(['webhooks', 'rotate-secret', id, '--grace', '1']);
  expect(rotated.stdout).toMatch(/^whsec_[A-Za-z0-9]{40}\n$/);
  expect(rotated.stdout).not.toBe(stdout);
  expect(rotated.stderr).toMatch(/^Until 20\S+Z both sign\.\n/);

  const update = ['webhooks', 'update', id, '--description', 'off', '--disable'];
  expect(await owner.json(...update, '--event', 'key.revoked')).toMatchObject({
    status: 'disabled',
    description: 'off',
    events: ['key.revoked'],
    url: receiver.url,
  });
  expect(await owner.out('webhooks', 'enable', id)).toBe(`The webhook ${id} is active.`);
  expect(await owner.fault('webhooks', 'delete', id)).toMatch(/^2 hati: .*say --yes to do it\.$/);
  expect(await owner.out('webhooks', 'delete', id, '--yes')).toBe(`The webhook ${id} is deleted.`);
  expect(await owner.fault('webhooks', 'show', id)).toBe('1 hati: there is no such webhook');
});

test.each([
  [['create', 'nowhere'], /^2 hati: url: /],
  [['create', 'https://a.example', '--event', 'key.lost'], /^2 hati: events\.0: /],
  [['test', 'wh_zzzzzzzzzzzz'], /^1 hati: there is no such webhook$/],
  [['deliveries', 'wh_zzzzzzzzzzzz', '--state', 'lost'], /^2 error: .*Allowed choices are pending/],
  [['rotate-secret', 'wh_zzzzzzzzzzzz', '--grace', 'x'], /^2 error: .*whole number/],
])('refused: %j', async (args, said) => {
  expect(await owner.fault('webhooks', ...args)).toMatch(said);
});
