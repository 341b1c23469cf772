/** Forgotten passwords: by mail, for who has the mailbox; and by the operator. */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { resetUserPassword } from '../../src/operator.ts';
import {
  reasonOf,
  someAddress,
  startTestControlPlane,
  statusesOf,
  testPassword,
  type Answered,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { silent } from '../fixtures/control-store.ts';
import { testConfig } from '../fixtures/proxy.ts';
import { OpenedForm } from '../fixtures/form-page.ts';
import { startSmtpServer, type SmtpServer } from '../fixtures/smtp-server.ts';

const hour = 3_600_000;
const next = 'another long password';

let smtp: SmtpServer;
let control: TestControlPlane;

beforeAll(async () => {
  smtp = await startSmtpServer();
  const from = 'HatiData <hatidata@example.com>';
  control = await startTestControlPlane({ mail: { smtpUrl: smtp.url, from } });
});
afterAll(async () => {
  await control.stop();
  await smtp.stop();
});

const forget = (email: string): Promise<Answered> =>
  control.request('POST', '/v1/auth/password/forgot', { body: { email }, from: someAddress() });

const reset = (token: string, password = next): Promise<Answered> =>
  control.request('POST', '/v1/auth/password/reset', {
    body: { token, new_password: password },
    from: someAddress(),
  });

const logIn = (email: string, password: string): Promise<Answered> =>
  control.request('POST', '/v1/auth/login', { body: { email, password }, from: someAddress() });

const mailsTo = (email: string) => smtp.mails.filter(({ to }) => to.includes(email));

/** The last mail's. */
async function tokenFor(email: string, spelt = email): Promise<string> {
  const before = mailsTo(email).length;
  expect(await forget(spelt)).toMatchObject({ status: 202, body: { mail: 'unknown' } });
  await vi.waitFor(() => expect(mailsTo(email)).toHaveLength(before + 1), 5_000);
  const text = mailsTo(email).at(-1)!.data.replaceAll('=\n', '').replaceAll('=23', '#');
  return /https:\/\/hatidata\.test\/password-reset#(prt_\S+)/.exec(text)![1]!;
}

const recordOf = async (userId: string) => {
  const { rows } = await control.store.query(
    `SELECT action, actor, detail FROM hatidata.iam_audit
      WHERE target = $1 AND action LIKE 'user.password%' ORDER BY sequence`,
    [userId],
  );
  return rows;
};

describe('by mail', () => {
  test('the link gives a new password, once, and ends what was begun with the old one', async () => {
    const { email, userId, token, refreshToken } = await control.signIn('analyst');
    const secret = await tokenFor(email, email.toUpperCase());
    const answer = await reset(secret);
    expect(answer).toMatchObject({ status: 200, body: { sessions_ended: 1 } });
    expect((await control.request('GET', '/v1/auth/me', { as: token })).status).toBe(401);
    const refresh = { body: { refresh_token: refreshToken } };
    expect((await control.request('POST', '/v1/auth/refresh', refresh)).status).toBe(401);
    expect((await logIn(email, testPassword)).status).toBe(401);
    expect((await logIn(email, next)).status).toBe(200);
    expect(reasonOf(await reset(secret))).toEqual([401, 'password_reset_refused']);
    expect(await recordOf(userId)).toEqual([
      {
        action: 'user.password_reset_asked',
        actor: 'anonymous',
        detail: { email: email.toUpperCase(), isKnown: true },
      },
      { action: 'user.password_reset', actor: userId, detail: { sessionsEnded: 1 } },
    ]);
    const { rows } = await control.store.query('SELECT * FROM hatidata.password_resets');
    expect(JSON.stringify(rows)).not.toContain(secret);
    expect(control.proxy.logged()).not.toContain(secret);
  });

  test('of two who come with it at once, one is taken', async () => {
    const { email } = await control.signIn('analyst');
    const secret = await tokenFor(email);
    const answers = await Promise.all(
      ['first long password', 'second long password'].map((each) => reset(secret, each)),
    );
    expect(statusesOf(answers)).toEqual([200, 401]);
  });

  test('it is good for an hour', async () => {
    const { email } = await control.signIn('analyst');
    const [early, late] = [await tokenFor(email), await tokenFor(email)];
    control.pass(hour - 60_000);
    expect((await reset(early)).status).toBe(200);
    const other = await control.signIn('analyst');
    const expired = await tokenFor(other.email);
    control.pass(hour);
    for (const each of [late, expired]) expect((await reset(each)).status).toBe(401);
  });

  test('a password that does not do leaves the link as it was', async () => {
    const { email } = await control.signIn('analyst');
    const secret = await tokenFor(email);
    expect(reasonOf(await reset(secret, 'short'))).toEqual([400, 'request_invalid']);
    expect(reasonOf(await reset(secret, email))).toEqual([400, 'request_invalid']);
    expect((await reset(secret)).status).toBe(200);
  });

  test('who changes his password makes links worthless', async () => {
    const { email, token } = await control.signIn('analyst');
    const secret = await tokenFor(email);
    const body = { current_password: testPassword, new_password: next };
    expect((await control.request('POST', '/v1/auth/password', { as: token, body })).status).toBe(
      200,
    );
    expect((await reset(secret)).status).toBe(401);
  });

  test('nobody is told who there is, and nobody who has no password gets one', async () => {
    const { email, userId } = await control.signIn('analyst');
    await control.store.query('UPDATE hatidata.users SET password_hash = NULL WHERE user_id = $1', [
      userId,
    ]);
    for (const each of ['nobody@example.com', email])
      expect(await forget(each)).toMatchObject({ status: 202, body: { mail: 'unknown' } });
    await new Promise((wait) => setTimeout(wait, 500));
    expect([mailsTo('nobody@example.com'), mailsTo(email)]).toEqual([[], []]);
  });

  test('three at the most are good at a time, whoever asks from wherever', async () => {
    const { email } = await control.signIn('analyst');
    const first = await tokenFor(email);
    await Promise.all(Array.from({ length: 6 }, () => forget(email)));
    await vi.waitFor(() => expect(mailsTo(email)).toHaveLength(3), 5_000);
    await new Promise((wait) => setTimeout(wait, 500));
    expect(mailsTo(email)).toHaveLength(3);
    expect((await reset(first)).status).toBe(200);
  });

  test('a mail that does not go out is in the log, and the answer is the same', async () => {
    const { email } = await control.signIn('analyst');
    smtp.isAccepting = false;
    expect((await forget(email)).status).toBe(202);
    await vi.waitFor(() =>
      expect(control.proxy.logged()).toContain('a password reset was not mailed'),
    );
    smtp.isAccepting = true;
    expect(await tokenFor(email)).toMatch(/^prt_/);
  });

  test('a second factor stays', async () => {
    const { email, userId } = await control.signIn('analyst');
    await control.store.query(
      'UPDATE hatidata.users SET totp_confirmed_at = now() WHERE user_id = $1',
      [userId],
    );
    expect((await reset(await tokenFor(email))).status).toBe(200);
    expect(reasonOf(await logIn(email, next))).toEqual([401, 'second_factor_missing']);
  });

  test('the page of the link runs its own script only', async () => {
    const response = await fetch(`${control.base}/password-reset`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toContain("script-src 'sha256-");
  });

  test('the page takes a password that does, and says what is wrong with others', async () => {
    const { email } = await control.signIn('analyst');
    await using form = await OpenedForm.at(
      `${control.base}/password-reset#${await tokenFor(email)}`,
    );
    expect(await form.send({ 'New password': 'short' })).toContain(
      'must have 12 characters or more',
    );
    expect(form.isOffered).toBe(true);
    expect(await form.send({ 'New password': next })).toBe('Done. You can log in with it now.');
    expect(form.isOffered).toBe(false);
    expect((await logIn(email, next)).status).toBe(200);
  });
});

describe('by the operator', () => {
  const byOperator = (email: string, removesSecondFactor = false, password = next) =>
    resetUserPassword(testConfig(control.proxy.directory), {
      email,
      password,
      removesSecondFactor,
      log: silent,
    });

  test('the user has a new password, and no session', async () => {
    const { email, token, userId } = await control.signIn('developer');
    const secret = await tokenFor(email);
    expect(await byOperator(email)).toBe(1);
    expect((await control.request('GET', '/v1/auth/me', { as: token })).status).toBe(401);
    expect((await logIn(email, next)).status).toBe(200);
    expect((await reset(secret)).status).toBe(401);
    expect((await recordOf(userId)).at(-1)).toEqual({
      action: 'user.password_reset',
      actor: 'hati admin',
      detail: { sessionsEnded: 1 },
    });
  });

  test('a second factor goes only where that is asked for', async () => {
    const { email, userId } = await control.signIn('developer');
    await control.store.query(
      'UPDATE hatidata.users SET totp_confirmed_at = now() WHERE user_id = $1',
      [userId],
    );
    await byOperator(email);
    expect(reasonOf(await logIn(email, next))).toEqual([401, 'second_factor_missing']);
    await byOperator(email, true);
    expect((await logIn(email, next)).status).toBe(200);
  });

  test('nobody, and a password that does not do', async () => {
    await expect(byOperator('nobody@example.com')).rejects.toMatchObject({
      code: 'resource_unknown',
    });
    const { email } = await control.signIn('developer');
    await expect(byOperator(email, false, 'short')).rejects.toMatchObject({
      code: 'request_invalid',
    });
  });
});

test('without a mail server the answer says so, and nothing is kept', async () => {
  const without = await startTestControlPlane();
  try {
    const { email } = await without.signIn('analyst');
    const answer = await without.request('POST', '/v1/auth/password/forgot', { body: { email } });
    expect(answer).toMatchObject({ status: 202, body: { mail: 'off' } });
    const { rowCount } = await without.store.query('SELECT FROM hatidata.password_resets');
    expect(rowCount).toBe(0);
  } finally {
    await without.stop();
  }
}, 30_000);
