/** Second factors: set up, asked for, taken once, not to be guessed, removed. */
import { TOTP } from 'otpauth';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import {
  reasonOf,
  someAddress,
  startTestControlPlane,
  testPassword,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';

const second = 1_000;
const hour = 3_600 * second;

let control: TestControlPlane;

beforeAll(async () => {
  control = await startTestControlPlane();
});
afterAll(() => control.stop());

interface Login {
  readonly email: string;
  readonly password?: string;
  readonly totp_code?: string;
}

const logIn = (login: Login, from: string): Promise<Answered> =>
  control.request('POST', '/v1/auth/login', { body: { password: testPassword, ...login }, from });

const wrong = 'not the password';

interface Enrolled extends SignedIn {
  readonly recovery: readonly string[];
  /** Of now. */
  readonly code: (aheadMs?: number) => string;
}

async function enrolled(): Promise<Enrolled> {
  const user = await control.signIn('analyst');
  const begun = await control.request('POST', '/v1/auth/totp', { as: user.token });
  expect(begun.status).toBe(200);
  const code = codesOf(begun.body.secret);
  const confirmed = await control.request('POST', '/v1/auth/totp/confirm', {
    as: user.token,
    body: { code: code() },
    from: someAddress(),
  });
  expect(confirmed).toMatchObject({ status: 200, body: { mfa_enabled: true } });
  return { ...user, code, recovery: confirmed.body.recovery_codes };
}

const codesOf =
  (secret: string) =>
  (aheadMs = 0): string =>
    new TOTP({ secret }).generate({ timestamp: control.now().getTime() + aheadMs });

/** To the middle of the next step of thirty seconds. */
function nextStep(): void {
  const into = control.now().getTime() % (30 * second);
  control.pass(45 * second - into);
}

describe('a second factor', () => {
  test('is an otpauth URI, and counts once it is confirmed', async () => {
    const { token, email } = await control.signIn('analyst');
    const { body } = await control.request('POST', '/v1/auth/totp', { as: token });
    expect(body.secret).toMatch(/^[A-Z2-7]{32}$/);
    const uri = new URL(body.otpauth_uri);
    expect(uri.protocol).toBe('otpauth:');
    expect(decodeURIComponent(uri.pathname)).toContain(email);
    expect(Object.fromEntries(uri.searchParams)).toMatchObject({
      issuer: 'HatiData',
      secret: body.secret,
      algorithm: 'SHA1',
      digits: '6',
      period: '30',
    });
    expect((await logIn({ email }, someAddress())).status).toBe(200);
    const { rows } = await control.store.query<{ totp_secret: Buffer }>(
      'SELECT totp_secret FROM hatidata.users WHERE email = $1',
      [email],
    );
    expect(rows[0]!.totp_secret.toString('latin1')).not.toContain(body.secret);
  });

  test('is asked for at a login, and refused when it is wrong', async () => {
    const { email, userId, code } = await enrolled();
    nextStep();
    const missing = await logIn({ email }, someAddress());
    expect(reasonOf(missing)).toEqual([401, 'second_factor_missing']);
    const wrongPassword = await logIn({ email, password: wrong }, someAddress());
    expect(reasonOf(wrongPassword)).toEqual([401, 'login_refused']);
    const bad = await logIn({ email, totp_code: code(10 * hour) }, someAddress());
    expect(reasonOf(bad)).toEqual([401, 'second_factor_wrong']);
    const good = await logIn({ email, totp_code: code() }, someAddress());
    expect(good.status).toBe(200);
    const { rows } = await control.store.query(
      `SELECT detail->'hasSecondFactor' AS has FROM hatidata.iam_audit
        WHERE action = 'session.started' AND actor = $1 ORDER BY sequence DESC LIMIT 1`,
      [userId],
    );
    expect(rows).toEqual([{ has: true }]);
    const me = await control.request('GET', '/v1/auth/me', { as: good.body.token });
    expect(me.body.mfa_enabled).toBe(true);
  });

  test('is taken once, and not after a later one', async () => {
    const { email, code } = await enrolled();
    nextStep();
    const early = code(-30 * second);
    const now = code();
    expect((await logIn({ email, totp_code: now }, someAddress())).status).toBe(200);
    for (const each of [now, early])
      expect(reasonOf(await logIn({ email, totp_code: each }, someAddress()))).toEqual([
        401,
        'second_factor_wrong',
      ]);
    nextStep();
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => logIn({ email, totp_code: code() }, someAddress())),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200, 401, 401, 401, 401,
    ]);
  });

  test.each([
    ['one step late', -30, 200],
    ['one step early', 30, 200],
    ['two steps late', -60, 401],
    ['two steps early', 60, 401],
  ])('%s', async (_name, seconds, status) => {
    const { email, code } = await enrolled();
    nextStep();
    nextStep();
    const login = { email, totp_code: code(seconds * second) };
    expect((await logIn(login, someAddress())).status).toBe(status);
  });

  test('is not confirmed by a wrong code, and not set up twice', async () => {
    const { token } = await control.signIn('analyst');
    const confirm = (code: string): Promise<Answered> =>
      control.request('POST', '/v1/auth/totp/confirm', { as: token, body: { code } });
    expect(reasonOf(await confirm('000000'))).toEqual([403, 'confirmation_wrong']);
    const first = await control.request('POST', '/v1/auth/totp', { as: token });
    const again = await control.request('POST', '/v1/auth/totp', { as: token });
    expect(again.body.secret).not.toBe(first.body.secret);
    expect((await confirm(codesOf(first.body.secret)())).status).toBe(403);
    expect((await confirm(codesOf(again.body.secret)())).status).toBe(200);
    const third = await control.request('POST', '/v1/auth/totp', { as: token });
    expect(reasonOf(third)).toEqual([409, 'conflict']);
    expect((await confirm('000000')).status).toBe(409);
  });

  test('can be removed, with password and code', async () => {
    const { email, token, userId, password, code } = await enrolled();
    const remove = (body: object): Promise<Answered> =>
      control.request('DELETE', '/v1/auth/totp', { as: token, body });
    nextStep();
    expect(reasonOf(await remove({ password: wrong, code: code() }))[0]).toBe(403);
    expect(reasonOf(await remove({ password, code: code(hour) }))[0]).toBe(403);
    expect((await remove({ password, code: code() })).status).toBe(200);
    expect((await logIn({ email }, someAddress())).status).toBe(200);
    expect(reasonOf(await remove({ password, code: code() }))[0]).toBe(409);
    const { rows } = await control.store.query(
      `SELECT action FROM hatidata.iam_audit WHERE target = $1 AND action LIKE 'user.totp%' ORDER BY sequence`,
      [userId],
    );
    expect(rows).toEqual([{ action: 'user.totp_enabled' }, { action: 'user.totp_disabled' }]);
  });

  test('cannot be guessed by who knows the password', async () => {
    const { email, code } = await enrolled();
    nextStep();
    const here = someAddress();
    const bad = code(10 * hour);
    for (let time = 0; time < 10; time += 1) {
      expect((await logIn({ email, totp_code: bad }, here)).status).toBe(401);
      // What leaves the code out is no failure, and makes none undone.
      expect((await logIn({ email }, here)).status).toBe(time === 9 ? 429 : 401);
      control.pass(2 * second);
    }
    expect((await logIn({ email, totp_code: code() }, here)).status).toBe(429);
  });

  test('an organization that asks for it refuses who has none, or had it and removed it', async () => {
    const setRequired = (required: boolean): Promise<unknown> =>
      control.store.query('UPDATE hatidata.organizations SET mfa_required = $1', [required]);
    await setRequired(true);
    onTestFinished(async () => void (await setRequired(false)));
    const { token, email, password } = await control.signIn('admin');
    const keys = (as: string): Promise<Answered> =>
      control.request('GET', `/v1/environments/${control.envId}/api-keys`, { as });
    expect(reasonOf(await keys(token))).toEqual([403, 'second_factor_required']);
    const { body } = await control.request('POST', '/v1/auth/totp', { as: token });
    const code = codesOf(body.secret);
    await control.request('POST', '/v1/auth/totp/confirm', { as: token, body: { code: code() } });
    expect((await keys(token)).status).toBe(403);
    nextStep();
    const again = await logIn({ email, totp_code: code() }, someAddress());
    expect((await keys(again.body.token)).status).toBe(200);
    nextStep();
    await control.request('DELETE', '/v1/auth/totp', {
      as: again.body.token,
      body: { password, code: code() },
    });
    expect((await keys(again.body.token)).status).toBe(403);
  });
});

describe('recovery codes', () => {
  const recordOf = async (userId: string) => {
    const { rows } = await control.store.query(
      `SELECT action, detail FROM hatidata.iam_audit
        WHERE target = $1 AND action LIKE 'user.recovery%' ORDER BY sequence`,
      [userId],
    );
    return rows;
  };

  test('are ten, each good once in place of a code, and none is in the store', async () => {
    const { email, userId, recovery } = await enrolled();
    expect(new Set(recovery).size).toBe(10);
    for (const each of recovery) expect(each).toMatch(/^[a-z0-9]{5}(-[a-z0-9]{5}){4}$/);
    const [first, second, third] = recovery as [string, string, string];
    const good = await logIn({ email, totp_code: first }, someAddress());
    expect(good.status).toBe(200);
    const spelt = await logIn({ email, totp_code: second.toUpperCase() }, someAddress());
    expect(spelt.status).toBe(200);
    expect(reasonOf(await logIn({ email, totp_code: first }, someAddress()))).toEqual([
      401,
      'second_factor_wrong',
    ]);
    const { rows } = await control.store.query(
      'SELECT * FROM hatidata.recovery_codes WHERE user_id = $1',
      [userId],
    );
    expect(rows).toHaveLength(8);
    for (const row of rows) expect(JSON.stringify(row)).not.toContain(third);
    expect(await recordOf(userId)).toEqual([
      { action: 'user.recovery_code_used', detail: { left: 9 } },
      { action: 'user.recovery_code_used', detail: { left: 8 } },
    ]);
  });

  test('of two logins with the same one at once, one is let in', async () => {
    const { email, recovery } = await enrolled();
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => logIn({ email, totp_code: recovery[0]! }, someAddress())),
    );
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200, 401, 401, 401,
    ]);
  });

  test('are of one user, and are failures when they are wrong', async () => {
    const [one, other] = [await enrolled(), await enrolled()];
    const here = someAddress();
    const login = { email: one.email, totp_code: other.recovery[0]! };
    for (let time = 0; time < 10; time += 1) {
      expect((await logIn(login, here)).status).toBe(401);
      control.pass(2 * second);
    }
    expect((await logIn(login, here)).status).toBe(429);
  });

  test('can be made anew, with password and code; the old ones are nothing then', async () => {
    const { token, email, userId, password, recovery, code } = await enrolled();
    const renew = (body: object): Promise<Answered> =>
      control.request('POST', '/v1/auth/totp/recovery-codes', { as: token, body });
    nextStep();
    expect((await renew({ password: wrong, code: code() })).status).toBe(403);
    const renewed = await renew({ password, code: code() });
    expect(renewed.status).toBe(200);
    expect(renewed.body.recovery_codes).toHaveLength(10);
    const next = renewed.body.recovery_codes[0];
    expect((await logIn({ email, totp_code: recovery[0]! }, someAddress())).status).toBe(401);
    expect((await logIn({ email, totp_code: next }, someAddress())).status).toBe(200);
    expect((await recordOf(userId))[0]).toEqual({
      action: 'user.recovery_codes_replaced',
      detail: {},
    });
  });

  test('take the second factor off, and go with it', async () => {
    const { token, userId, password, recovery } = await enrolled();
    const body = { password, code: recovery[0]! };
    expect((await control.request('DELETE', '/v1/auth/totp', { as: token, body })).status).toBe(
      200,
    );
    const { rowCount } = await control.store.query(
      'SELECT FROM hatidata.recovery_codes WHERE user_id = $1',
      [userId],
    );
    expect(rowCount).toBe(0);
    const renew = await control.request('POST', '/v1/auth/totp/recovery-codes', {
      as: token,
      body: { password, code: recovery[1]! },
    });
    expect(reasonOf(renew)).toEqual([409, 'conflict']);
  });

  test('do not confirm a second factor', async () => {
    const { token } = await control.signIn('analyst');
    await control.request('POST', '/v1/auth/totp', { as: token });
    const body = { code: 'aaaaa-aaaaa-aaaaa-aaaaa-aaaaa' };
    const answer = await control.request('POST', '/v1/auth/totp/confirm', { as: token, body });
    expect(reasonOf(answer)).toEqual([400, 'request_invalid']);
  });
});
