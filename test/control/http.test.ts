/** What HTTP lets anybody send: each has its status and the one envelope, and none is a fault of ours. */
import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeCursor } from '../../src/api/paging.ts';
import {
  reasonOf,
  startTestControlPlane,
  type Answered,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';

let control: TestControlPlane;
let token: string;
let environments: string;

beforeAll(async () => {
  control = await startTestControlPlane();
  token = (await control.signIn('owner')).token;
  environments = `/v1/organizations/${control.orgId}/environments`;
});
afterAll(() => control.stop());

interface Sent {
  readonly method?: string;
  readonly path?: string;
  /** Beside that of the owner, as it is on the wire. */
  readonly headers?: readonly string[];
  readonly body?: string | Buffer;
}

/** As it is on the wire: clients like `fetch` mend what they are given. */
async function send({ method = 'GET', path = '/v1/orgs', headers = [], body = '' }: Sent) {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: hatidata.test',
    'Connection: close',
    `Authorization: Bearer ${token}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  const socket = connect(Number(new URL(control.base).port), '127.0.0.1');
  socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  socket.write(body);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return answerIn(Buffer.concat(chunks));
}

function answerIn(bytes: Buffer): Answered {
  const [head = '', text = ''] = bytes.toString('utf8').split('\r\n\r\n');
  const status = Number(head.slice('HTTP/1.1 '.length, 'HTTP/1.1 200'.length));
  const fields = head.split('\r\n').slice(1);
  const headersOf = new Headers(fields.map((each) => each.split(/: (.*)/s, 2) as [string, string]));
  return { status, headers: headersOf, body: JSON.parse(text) };
}

/** Makes an environment. */
const wish = (more: object = {}) => JSON.stringify({ name: 'x', slug: 'of-http', ...more });
const json = 'Content-Type: application/json';
const lengths = (one: string, another: string): string =>
  `POST /v1/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: ${one}\r\nContent-Length: ${another}\r\n\r\nx`;

describe('a path', () => {
  test.each([
    ['NUL', '/v1/environments/%00', 404, 'resource_unknown'],
    ['NUL in the place of a key', '/v1/environments/%00/api-keys/%00', 404, 'resource_unknown'],
    ['NUL as an organization', '/v1/organizations/org_%00/users', 404, 'resource_unknown'],
    ['a slash inside', '/v1/environments/a%2fb', 404, 'resource_unknown'],
    ['thousands of characters', `/v1/environments/${'a'.repeat(8_000)}`, 404, 'resource_unknown'],
    ['what is no encoding', '/v1/environments/%zz', 400, 'request_invalid'],
    ['half of a character', '/v1/environments/%c3', 400, 'request_invalid'],
  ])('with %s', async (_name, path, status, reason) => {
    const answer = await send({ path });
    expect(reasonOf(answer)).toEqual([status, reason]);
    expect(answer.headers.get('x-request-id')).toBe(answer.body.error.request_id);
  });
});

describe('a method', () => {
  test.each(['PUT', 'OPTIONS', 'TRACE', 'QUERY'])('%s that it is not for', async (method) => {
    const answer = await send({ method });
    expect(reasonOf(answer)).toEqual([405, 'method_unknown']);
    expect(answer.headers.get('allow')).toBe('GET, HEAD');
  });
});

/** What comes back for bytes that are no request. */
async function answerTo(bytes: string): Promise<Answered> {
  const socket = connect(Number(new URL(control.base).port), '127.0.0.1');
  socket.write(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return answerIn(Buffer.concat(chunks));
}

describe('what is no request', () => {
  test.each([
    ['of another protocol', '\0\0\0\x08\x04\xd2\x16\x2f', 400, 'request_malformed'],
    ['two lengths', lengths('1', '2'), 400, 'request_malformed'],
    [
      'a length and chunks',
      lengths('1', '1\r\nTransfer-Encoding: chunked'),
      400,
      'request_malformed',
    ],
    [
      'too long headers',
      `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'headers_too_long',
    ],
  ])('%s', async (_name, bytes, status, reason) => {
    const answer = await answerTo(bytes);
    expect(reasonOf(answer)).toEqual([status, reason]);
    expect(answer.body.error.request_id).toBe(answer.headers.get('x-request-id'));
    expect(answer.headers.get('connection')).toBe('close');
  });

  test('one without a host', async () => {
    const answer = await answerTo('GET /health HTTP/1.1\r\nConnection: close\r\n\r\n');
    expect(reasonOf(answer)).toEqual([400, 'request_malformed']);
    // It was not needed then.
    expect(await answerTo('GET /health HTTP/1.0\r\n\r\n')).toMatchObject({ status: 200 });
  });
});

describe('a body', () => {
  test.each([
    ['of another type', ['Content-Type: text/json'], wish(), 415, 'media_type_unknown'],
    ['of another charset', [`${json}; charset=latin1`], wish(), 415, 'media_type_unknown'],
    ['compressed', [json, 'Content-Encoding: gzip'], gzipSync(wish()), 415, 'media_type_unknown'],
    ['not in UTF-8', [json], Buffer.from(wish({ name: 'ä' }), 'latin1'), 400, 'request_invalid'],
    ['with __proto__', [json], '{"name":"x","slug":"p","__proto__":{}}', 400, 'request_invalid'],
    ['with NaN', [json], '{"name":NaN,"slug":"p"}', 400, 'request_invalid'],
    ['too deep', [json], '['.repeat(200_000), 400, 'request_invalid'],
    ['too long', [json], `"${'x'.repeat(256 * 1024)}"`, 413, 'body_too_large'],
    ['half a pair', [json], '{"name":"a\\ud800","slug":"p"}', 400, 'request_invalid'],
    [
      'blanks beyond the length',
      [json],
      wish({ name: `${' '.repeat(100)}x` }),
      400,
      'request_invalid',
    ],
  ])('%s', async (_name, headers, body, status, reason) => {
    const answer = await send({ method: 'POST', path: environments, headers, body });
    expect(reasonOf(answer)).toEqual([status, reason]);
  });

  test('may say that it is UTF-8, and that it is not compressed', async () => {
    const headers = [
      'Content-Type: application/json; charset="UTF-8"',
      'Content-Encoding: identity',
    ];
    const answer = await send({
      method: 'POST',
      path: environments,
      headers,
      body: wish({ name: 'ä' }),
    });
    expect(answer.status).toBe(201);
    expect(answer.body.name).toBe('ä');
  });

  test('has addresses as long as the mail takes them', async () => {
    const path = `/v1/organizations/${control.orgId}/users`;
    const invite = async (length: number) => {
      const body = JSON.stringify({ email: `${'x'.repeat(length)}@a.example`, role: 'analyst' });
      return await send({ method: 'POST', path, headers: [json], body });
    };
    expect((await invite(64)).status).toBe(201);
    expect(reasonOf(await invite(65))).toEqual([400, 'request_invalid']);
  });
});

test.each([
  ['twice the same', () => `Authorization: Bearer ${token}`],
  ['two', () => 'Authorization: Bearer another'],
  ['a token and a key', () => 'X-API-Key: hd_live_1'],
])('credentials: %s', async (_name, header) => {
  expect(reasonOf(await send({ headers: [header()] }))).toEqual([401, 'credential_invalid']);
});

describe('a list', () => {
  test.each(['1e2', '0x10', '1.0', '%2B5', '%205', '', '-1', '201', '1&limit=2'])(
    'of limit=%s',
    async (limit) => {
      const answer = await send({ path: `/v1/orgs?limit=${limit}` });
      expect(reasonOf(answer)).toEqual([400, 'request_invalid']);
      expect(answer.body.error.details.field).toBe('limit');
    },
  );

  test.each([
    ['of another list', ['2026-01-01T00:00:00.000Z', 'key_abc']],
    ['of a day that there is not', ['2026-02-30T00:00:00.000Z', 'org_abc']],
    ['of an hour that there is not', ['2026-01-01T24:00:00.000Z', 'org_abc']],
    ['of no time', ['today', 'org_abc']],
    ['with NUL', ['2026-01-01T00:00:00.000Z', 'org_\0']],
  ])('from a cursor %s', async (_name, position) => {
    const answer = await send({ path: `/v1/orgs?cursor=${writeCursor(position)}` });
    expect(reasonOf(answer)).toEqual([400, 'request_invalid']);
    expect(answer.body.error.details.field).toBe('cursor');
  });
});

test.each(['"abc"', 'W/"1"', '"1", "2"', '1', '', '"-1"'])('If-Match: %s', async (version) => {
  const sent = { method: 'PATCH', path: `/v1/environments/${control.envId}`, body: '{}' };
  const answer = await send({ ...sent, headers: [json, `If-Match: ${version}`] });
  expect(reasonOf(answer)).toEqual([400, 'request_invalid']);
  expect(answer.body.error.details.field).toBe('if-match');
  expect((await send({ ...sent, headers: [json, 'If-Match: *'] })).status).toBe(200);
});

test('the document says which bodies may be left out', async () => {
  const { body } = await send({ path: '/v1/openapi.json' });
  const required = (path: string) => body.paths[path].post.requestBody.required;
  expect(required('/v1/environments/{env_id}/api-keys/{key_id}/rotate')).toBe(false);
  expect(required('/v1/environments/{env_id}/api-keys')).toBe(true);
});

describe('a description', () => {
  const sent = async (description: string) => {
    const path = `/v1/environments/${control.envId}/api-keys`;
    const body = JSON.stringify({
      name: `key ${randomUUID()}`,
      scopes: ['query:read'],
      description,
    });
    return await send({ method: 'POST', path, headers: [json], body });
  };

  test.each([
    ['NUL', 'a\0b'],
    ['half of a pair', 'a\ud800'],
  ])('with %s is refused by its name', async (_name, description) => {
    const answer = await sent(description);
    expect(reasonOf(answer)).toEqual([400, 'request_invalid']);
    expect(answer.body.error.details.field).toBe('description');
  });

  test('is as the document says', async () => {
    const { body } = await send({ path: '/v1/openapi.json' });
    const { post } = body.paths['/v1/environments/{env_id}/api-keys'];
    const { description } = post.requestBody.content['application/json'].schema.properties;
    const pattern = new RegExp(description.pattern, 'u');
    expect(pattern.test('a\0b')).toBe(false);
    const lines = 'one line\n\tand another 😀';
    expect(pattern.test(lines)).toBe(true);
    expect((await sent(lines)).body.description).toBe(lines);
  });

  test('is counted in characters, as the document does', async () => {
    const { body } = await send({ path: '/v1/openapi.json' });
    const { post } = body.paths['/v1/environments/{env_id}/api-keys'];
    const { description } = post.requestBody.content['application/json'].schema.properties;
    expect(description.maxLength).toBe(1_000);
    const longest = '🐎'.repeat(1_000);
    expect((await sent(longest)).body.description === longest).toBe(true);
    const answer = await sent(`${longest}🐎`);
    expect(reasonOf(answer)).toEqual([400, 'request_invalid']);
    expect(answer.body.error.message).toContain('<=1000 characters');
  });
});
