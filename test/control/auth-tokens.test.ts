/** What a login gives out: how long it is good, that it can't be forged, that a stolen one ends. */
import { createPublicKey, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  SignJWT,
  type JSONWebKeySet,
  type JWK,
} from 'jose';
import { SecretBox } from '../../src/shared/secret-box.ts';
import {
  someAddress,
  startTestControlPlane,
  type Answered,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';

const secretKey = randomBytes(32).toString('base64');
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

let control: TestControlPlane;

beforeAll(async () => {
  control = await startTestControlPlane({ secretKey });
});
afterAll(() => control.stop());

const me = (token: string): Promise<Answered> =>
  control.request('GET', '/v1/auth/me', { as: token, from: someAddress() });

const statusOf = async (token: string): Promise<number> => (await me(token)).status;

const refresh = (token: unknown): Promise<Answered> =>
  control.request('POST', '/v1/auth/refresh', {
    body: { refresh_token: token },
    from: someAddress(),
  });

async function keySet(): Promise<JSONWebKeySet> {
  const { body } = await control.request('GET', '/.well-known/jwks.json', { from: someAddress() });
  return body as JSONWebKeySet;
}

describe('an access token', () => {
  test('says who, where and until when; anybody can verify it by the published keys', async () => {
    const { token, userId } = await control.signIn('developer');
    const { keys } = await keySet();
    expect(keys).toEqual([
      {
        kty: 'RSA',
        use: 'sig',
        alg: 'RS256',
        kid: expect.any(String),
        n: expect.any(String),
        e: 'AQAB',
      },
    ]);
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet({ keys }), {
      issuer: 'https://api.hatidata.com',
      audience: 'hatidata',
      currentDate: control.now(),
    });
    expect(protectedHeader).toEqual({ alg: 'RS256', typ: 'JWT', kid: keys[0]!.kid });
    expect(payload).toEqual({
      sub: userId,
      org_id: control.orgId,
      role: 'developer',
      env: 'production',
      sid: expect.stringMatching(/^sess_/),
      jti: expect.any(String),
      iss: 'https://api.hatidata.com',
      aud: 'hatidata',
      iat: expect.any(Number),
      exp: payload.iat! + 3_600,
    });
  });

  test('is good for an hour', async () => {
    const { token } = await control.signIn('analyst');
    control.pass(59 * minute);
    expect(await statusOf(token)).toBe(200);
    control.pass(2 * minute);
    expect(await me(token)).toMatchObject({
      status: 401,
      body: { error: { code: 'UNAUTHORIZED', details: { reason: 'credential_invalid' } } },
    });
  });

  test('is not accepted when it is forged', async () => {
    const { token } = await control.signIn('owner');
    const { userId } = await control.signIn('analyst');
    const [header = '', payload = '', signature = ''] = token.split('.');
    const encoded = (value: unknown): string =>
      Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = decodeJwt(token);
    const { kid } = decodeProtectedHeader(token);
    const [published] = (await keySet()).keys;
    const pem = createPublicKey({ key: { ...published! }, format: 'jwk' }).export({
      type: 'spki',
      format: 'pem',
    });
    const other = await generateKeyPair('RS256', { extractable: true });
    const signed = (alg: string, more: object = {}): SignJWT =>
      new SignJWT(claims).setProtectedHeader({ alg, typ: 'JWT', kid: kid!, ...more });
    const jwk = await exportJWK(other.publicKey);
    const forged: Record<string, string> = {
      'no algorithm': `${encoded({ alg: 'none', typ: 'JWT', kid })}.${payload}.`,
      'no algorithm, old signature': `${encoded({ alg: 'none', kid })}.${payload}.${signature}`,
      'HS256 with the public key': await signed('HS256').sign(Buffer.from(pem)),
      'HS256 with its modulus': await signed('HS256').sign(Buffer.from(published!.n!)),
      'another key': await signed('RS256').sign(other.privateKey),
      'another key, in the header': await signed('RS256', { jwk }).sign(other.privateKey),
      'a key that nobody has': await signed('RS256', { kid: 'nobody' }).sign(other.privateKey),
      'no kid': `${encoded({ alg: 'RS256', typ: 'JWT' })}.${payload}.${signature}`,
      'another algorithm': `${encoded({ alg: 'PS256', typ: 'JWT', kid })}.${payload}.${signature}`,
      'another user': `${header}.${encoded({ ...claims, sub: userId })}.${signature}`,
      'another role': `${header}.${encoded({ ...claims, role: 'admin' })}.${signature}`,
      'a later end': `${header}.${encoded({ ...claims, exp: claims.exp! + 9_999 })}.${signature}`,
      'no signature': `${header}.${payload}.`,
      'a part too few': `${header}.${payload}`,
      'a changed signature': `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
      'no token': 'token',
      nothing: '..',
      'not even text': '\u00ff\u00fe',
    };
    for (const [name, each] of Object.entries(forged))
      expect([name, await statusOf(each)]).toEqual([name, 401]);
    expect(await statusOf(token)).toBe(200);
  });

  test('signed by us for somebody else is not accepted', async () => {
    const { token } = await control.signIn('analyst');
    const { rows } = await control.store.query<{ kid: string; private_jwk: Buffer }>(
      'SELECT kid, private_jwk FROM hatidata.signing_keys WHERE retired_at IS NULL',
    );
    const { kid, private_jwk: sealed } = rows[0]!;
    const box = new SecretBox(Buffer.from(secretKey, 'base64'));
    const jwk = JSON.parse(box.open(sealed, `signing_key:${kid}`)) as JWK;
    const claims = decodeJwt(token);
    const key = await importJWK(jwk, 'RS256');
    const sign = (payload: object): Promise<string> =>
      new SignJWT({ ...payload }).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid }).sign(key);
    expect(await statusOf(await sign(claims))).toBe(200);
    const { sid: _, ...noSession } = claims;
    for (const wrong of [
      { ...claims, aud: 'somebody' },
      { ...claims, iss: 'https://example.com' },
      { ...claims, sid: 'sess_nobody' },
      { ...claims, sub: 'usr_nobody' },
      { ...claims, org_id: 'org_nobody' },
      { ...claims, exp: undefined },
      noSession,
    ])
      expect([wrong, await statusOf(await sign(wrong))]).toEqual([wrong, 401]);
  });
});

describe('a refresh token', () => {
  test('is good once, and gives both tokens anew', async () => {
    const { refreshToken } = await control.signIn('analyst');
    const { status, body } = await refresh(refreshToken);
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.stringMatching(/^ey/),
      refresh_token: expect.stringMatching(/^hrt_/),
      expires_in: 3_600,
    });
    expect(body.refresh_token).not.toBe(refreshToken);
    expect(await statusOf(body.access_token)).toBe(200);
    expect((await refresh(body.refresh_token)).status).toBe(200);
  });

  test('that comes a second time ends the session', async () => {
    const { refreshToken, userId, token } = await control.signIn('analyst');
    const { body: next } = await refresh(refreshToken);
    const again = await refresh(refreshToken);
    expect(again).toMatchObject({
      status: 401,
      body: { error: { details: { reason: 'refresh_refused' } } },
    });
    expect(await statusOf(token)).toBe(401);
    expect(await statusOf(next.access_token)).toBe(401);
    expect((await refresh(next.refresh_token)).status).toBe(401);
    const { rows } = await control.store.query(
      `SELECT a.org_id, s.end_reason FROM hatidata.iam_audit a JOIN hatidata.auth_sessions s ON s.session_id = a.target
        WHERE a.action = 'session.reused' AND a.actor = $1`,
      [userId],
    );
    expect(rows).toEqual([{ org_id: control.orgId, end_reason: 'refresh_token_reused' }]);
  });

  test('that two come with at once is good for one of them', async () => {
    for (let round = 0; round < 5; round += 1) {
      const { refreshToken } = await control.signIn('analyst');
      const answers = await Promise.all(Array.from({ length: 4 }, () => refresh(refreshToken)));
      const statuses = answers.map(({ status }) => status).toSorted((a, b) => a - b);
      expect(statuses).toEqual([200, 401, 401, 401]);
      const { body } = answers.find(({ status }) => status === 200)!;
      expect(await statusOf(body.access_token)).toBe(401);
    }
  });

  test('is good for seven days', async () => {
    const [kept, late] = [await control.signIn('analyst'), await control.signIn('analyst')];
    control.pass(7 * day - minute);
    const renewed = await refresh(kept.refreshToken);
    expect(renewed.status).toBe(200);
    control.pass(2 * minute);
    expect((await refresh(late.refreshToken)).status).toBe(401);
    expect((await refresh(renewed.body.refresh_token)).status).toBe(200);
  });

  test('keeps no session longer than thirty days', async () => {
    let { refreshToken } = await control.signIn('analyst');
    for (let passed = 0; passed < 28; passed += 6) {
      control.pass(6 * day);
      if (passed + 6 >= 30) break;
      const { status, body } = await refresh(refreshToken);
      expect([passed, status]).toEqual([passed, 200]);
      refreshToken = body.refresh_token;
    }
    expect((await refresh(refreshToken)).status).toBe(401);
  });

  test('gives at the end of a session only what is left of it', async () => {
    let { refreshToken } = await control.signIn('analyst');
    for (const days of [7, 7, 7, 7]) {
      control.pass(days * day - minute);
      refreshToken = (await refresh(refreshToken)).body.refresh_token;
    }
    control.pass(2 * day - 10 * minute);
    const { body } = await refresh(refreshToken);
    expect(body.expires_in).toBeLessThanOrEqual(14 * 60);
    expect(body.expires_in).toBeGreaterThan(12 * 60);
    control.pass(20 * minute);
    expect(await statusOf(body.access_token)).toBe(401);
  });

  test.each([
    ['none', undefined, 400],
    ['a number', 7, 400],
    ['an empty one', '', 400],
    ['a long one', 'x'.repeat(201), 400],
    ['nobody’s', `hrt_${'x'.repeat(43)}`, 401],
  ])('%s is refused', async (_name, token, status) => {
    expect((await refresh(token)).status).toBe(status);
  });

  test('lies in the store as a digest only', async () => {
    const { refreshToken } = await control.signIn('analyst');
    const { rows } = await control.store.query(
      "SELECT count(*)::int AS n FROM hatidata.refresh_tokens t WHERE t::text LIKE '%' || $1 || '%'",
      [Buffer.from(refreshToken).toString('hex')],
    );
    expect(rows).toEqual([{ n: 0 }]);
  });
});
