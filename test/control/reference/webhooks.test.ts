/** The reference of webhooks, request by request, and a delivery as a receiver sees it. */
import { createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  someAddress,
  startTestControlPlane,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../../fixtures/control-plane.ts';
import { expectError, id, onlyPage, time } from './shapes.ts';

const events = [
  ...['key.rotated', 'key.expiring', 'key.revoked', 'user.invited', 'user.removed'],
  ...['user.role_changed', 'policy.created', 'policy.updated', 'policy.deleted'],
  ...['policy.changed', 'jit.requested', 'jit.approved', 'jit.denied', 'billing.warning'],
  'trigger.fired',
];

let control: TestControlPlane;
let owner: SignedIn;
let webhooks: string;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
  webhooks = `/v1/organizations/${control.orgId}/webhooks`;
});
afterAll(() => control.stop());

function ask(method: string, path: string, body?: unknown, as?: string): Promise<Answered> {
  return control.request(method, path, { as: as ?? owner.token, body, from: someAddress() });
}

describe('POST …/webhooks', () => {
  test('201 with the object and its secret; the list has it without, and how it goes', async () => {
    expect((await ask('GET', webhooks)).body).toEqual(onlyPage());
    const wish = {
      url: 'https://hooks.example.com/hatidata',
      description: 'Security events',
      events: ['key.rotated', 'policy.created', 'policy.updated', 'policy.deleted'],
    };
    const answer = await ask('POST', webhooks, wish);
    expect(answer.status).toBe(201);
    const shown = { ...wish, webhook_id: id('wh_'), status: 'active', created_at: time };
    expect(answer.body).toEqual({
      ...shown,
      signing_secret: expect.stringMatching(/^whsec_[A-Za-z0-9]{40}$/),
    });
    const list = await ask('GET', webhooks);
    expect(list.status).toBe(200);
    expect(list.body).toEqual(
      onlyPage({ ...shown, last_delivered_at: null, last_status_code: null, failure_count: 0 }),
    );
    const removed = await ask('DELETE', `${webhooks}/${answer.body.webhook_id}`);
    expect([removed.status, removed.body]).toEqual([
      200,
      { webhook_id: answer.body.webhook_id, deleted: true, deleted_at: time },
    ]);
  });

  test.each(events)('takes the event %s', async (event) => {
    const answer = await ask('POST', webhooks, {
      url: 'https://hooks.example.com/',
      description: event,
      events: [event],
    });
    expect([answer.status, answer.body.events]).toEqual([201, [event]]);
  });

  test.each([
    ['no URL', { url: undefined }, 'url'],
    ['a URL that is none', { url: 'hooks' }, 'url'],
    ['another scheme', { url: 'ftp://hooks.example.com/' }, 'url'],
    ['HTTP to another machine', { url: 'http://hooks.example.com/' }, 'url'],
    ['an event that there is not', { events: ['key.flown'] }, 'events.0'],
    ['no events', { events: [] }, 'events'],
    ['a description that is no text', { description: 1 }, 'description'],
    ['a secret of its own', { signing_secret: 'whsec_mine' }, 'signing_secret'],
  ])('400 VALIDATION_ERROR for %s', async (_, more, field) => {
    const answer = await ask('POST', webhooks, { url: 'https://hooks.example.com/', ...more });
    expectError(answer, 400, 'VALIDATION_ERROR', { field });
  });
});

test.each(['developer', 'analyst', 'auditor', 'service_account'] as const)(
  '403 FORBIDDEN for the role %s',
  async (role) => {
    const { token } = await control.signIn(role);
    const body = { url: 'https://hooks.example.com/' };
    expectError(await ask('GET', webhooks, undefined, token), 403, 'FORBIDDEN');
    expectError(await ask('POST', webhooks, body, token), 403, 'FORBIDDEN');
  },
);

test('a key needs webhook:read to list, webhook:write for the rest', async () => {
  const keyWith = async (name: string, scopes: readonly string[]): Promise<string> => {
    const path = `/v1/environments/${control.envId}/api-keys`;
    return (await ask('POST', path, { name, scopes })).body.key;
  };
  const reading = await keyWith('reading', ['webhook:read']);
  const writing = await keyWith('writing', ['webhook:write']);
  const body = { url: 'https://hooks.example.com/' };
  expect((await ask('GET', webhooks, undefined, reading)).status).toBe(200);
  expectError(await ask('POST', webhooks, body, reading), 403, 'FORBIDDEN');
  expectError(await ask('GET', webhooks, undefined, writing), 403, 'FORBIDDEN');
  expect((await ask('POST', webhooks, body, writing)).status).toBe(201);
});

test('401 for nobody, 404 for what there is not', async () => {
  expectError(await control.request('GET', webhooks), 401, 'UNAUTHORIZED');
  expectError(await ask('GET', '/v1/organizations/org_none/webhooks'), 404, 'NOT_FOUND');
  for (const method of ['GET', 'DELETE'])
    expectError(await ask(method, `${webhooks}/wh_none`), 404, 'NOT_FOUND');
});

interface Delivery {
  readonly headers: IncomingHttpHeaders;
  readonly raw: string;
}

test('a delivery has the headers of the reference, and its signature is of the raw body', async () => {
  const { promise, resolve } = Promise.withResolvers<Delivery>();
  const receiver = createServer((request, response) => {
    let raw = '';
    request.on('data', (chunk) => (raw += chunk));
    request.on('end', () => {
      response.writeHead(204).end();
      resolve({ headers: request.headers, raw });
    });
  });
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening));
  const { port } = receiver.address() as AddressInfo;
  const { body: webhook } = await ask('POST', webhooks, {
    url: `http://localhost:${port}/in`,
    events: ['key.rotated'],
  });
  const keys = `/v1/environments/${control.envId}/api-keys`;
  const { body: key } = await ask('POST', keys, { name: 'rotated', scopes: ['query:read'] });
  const { body: rotated } = await ask('POST', `${keys}/${key.key_id}/rotate`);

  const { headers, raw } = await promise;
  const digest = createHmac('sha256', webhook.signing_secret).update(raw).digest('hex');
  expect(headers).toMatchObject({
    'content-type': 'application/json',
    'x-hatidata-signature': `sha256=${digest}`,
    'x-hatidata-event-type': 'key.rotated',
    'x-hatidata-event-id': expect.stringMatching(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    'x-hatidata-timestamp': time,
    'x-hatidata-delivery-attempt': '1',
  });
  expect(JSON.parse(raw)).toEqual({
    event_id: headers['x-hatidata-event-id'],
    type: 'key.rotated',
    created_at: headers['x-hatidata-timestamp'],
    org_id: control.orgId,
    env_id: control.envId,
    data: {
      key_id: key.key_id,
      name: 'rotated',
      new_prefix: rotated.new_prefix,
      old_key_expires_at: rotated.old_key_expires_at,
      grace_period_hours: 72,
      rotated_at: rotated.rotated_at,
      rotated_by: owner.userId,
      automatic: false,
    },
  });
  await expect
    .poll(async () => (await ask('GET', `${webhooks}/${webhook.webhook_id}`)).body)
    .toMatchObject({ last_delivered_at: time, last_status_code: 204, failure_count: 0 });
  receiver.closeAllConnections();
  receiver.close();
});
