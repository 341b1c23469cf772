/** The keys that sign access tokens: replaced in time, made once, sealed. */
import { randomBytes } from 'node:crypto';
import { decodeProtectedHeader, type JSONWebKeySet } from 'jose';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Acts } from '../../src/control/act.ts';
import { SigningKeys } from '../../src/control/auth/signing-keys.ts';
import { connectControlDatabase } from '../../src/database/connect.ts';
import { createLogger } from '../../src/shared/log.ts';
import { SecretBox } from '../../src/shared/secret-box.ts';
import { someAddress, startTestControlPlane } from '../fixtures/control-plane.ts';
import type { TestControlPlane } from '../fixtures/control-plane.ts';

const secretKey = randomBytes(32).toString('base64');
const minute = 60_000;
const day = 24 * 60 * minute;

let control: TestControlPlane;

beforeAll(async () => {
  control = await startTestControlPlane({ secretKey });
});
afterAll(() => control.stop());

const statusOf = async (token: string): Promise<number> =>
  (await control.request('GET', '/v1/auth/me', { as: token, from: someAddress() })).status;

async function keySet(): Promise<JSONWebKeySet> {
  const { body } = await control.request('GET', '/.well-known/jwks.json', { from: someAddress() });
  return body as JSONWebKeySet;
}

async function signingKeysMade(): Promise<number> {
  const { rows } = await control.store.query<{ n: number }>(
    "SELECT count(*)::int AS n FROM hatidata.iam_audit WHERE action = 'signing_key.created'",
  );
  return rows[0]!.n;
}

describe('signing keys', () => {
  test('are replaced after thirty days, and known until their last token has ended', async () => {
    control.pass(31 * day);
    const before = await control.signIn('analyst');
    const [first] = (await keySet()).keys;
    const made = await signingKeysMade();
    control.pass(30 * day - 30 * minute);
    const early = await control.signIn('analyst');
    expect(decodeProtectedHeader(early.token).kid).toBe(first!.kid);
    control.pass(31 * minute);
    const late = await control.signIn('analyst');
    const { kid } = decodeProtectedHeader(late.token);
    expect(kid).not.toBe(first!.kid);
    expect(await signingKeysMade()).toBe(made + 1);
    expect((await keySet()).keys.map((key) => key.kid)).toEqual([kid, first!.kid]);
    expect(await statusOf(early.token)).toBe(200);
    expect(await statusOf(before.token)).toBe(401);
    control.pass(30 * minute);
    expect(await statusOf(early.token)).toBe(401);
    control.pass(40 * minute);
    expect((await keySet()).keys.map((key) => key.kid)).toEqual([kid]);
  });

  test('are made once by instances that need one at the same time, and shared', async () => {
    const log = createLogger({ level: 'fatal', destination: { write: () => undefined } });
    const database = connectControlDatabase(control.proxy.direct('control'), log);
    try {
      control.pass(31 * day);
      const made = await signingKeysMade();
      const { db } = database;
      const clock = (): Date => control.now();
      const box = new SecretBox(Buffer.from(secretKey, 'base64'));
      const instances = Array.from(
        { length: 5 },
        () => new SigningKeys({ db, acts: new Acts({ db, clock }), box, clock }),
      );
      const [signedIn, ...keys] = await Promise.all([
        control.signIn('analyst'),
        ...instances.map((each) => each.current()),
      ]);
      const kids = new Set([
        decodeProtectedHeader(signedIn.token).kid,
        ...keys.map(({ kid }) => kid),
      ]);
      expect(kids.size).toBe(1);
      expect(await signingKeysMade()).toBe(made + 1);
      // What another instance has retired is replaced here too, though it was read a moment ago.
      await control.store.query('UPDATE hatidata.signing_keys SET retired_at = $1', [clock()]);
      const fresh = new SigningKeys({ db, acts: new Acts({ db, clock }), box, clock });
      const { kid } = await fresh.current();
      expect(await instances[0]!.find(kid)).toBeDefined();
      const stranger = new SecretBox(randomBytes(32));
      const misled = new SigningKeys({ db, acts: new Acts({ db, clock }), box: stranger, clock });
      await expect(misled.current()).rejects.toThrow(/sealed with another secret key/);
    } finally {
      await database.close();
    }
  });

  test('lie sealed in the store', async () => {
    const { rows } = await control.store.query<{ private_jwk: Buffer }>(
      'SELECT private_jwk FROM hatidata.signing_keys',
    );
    expect(rows.length).toBeGreaterThan(0);
    for (const { private_jwk: sealed } of rows)
      expect(sealed.toString('latin1')).not.toMatch(/RSA/);
  });
});
