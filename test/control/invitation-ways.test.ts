/** Invitations by mail and by the page of their link, and those of accounts that there are. */
import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  someAddress,
  startTestControlPlane,
  testPassword,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { OpenedForm } from '../fixtures/form-page.ts';
import { Guests } from './guests.ts';
import { newOrganization } from './new-organizations.ts';
import { startSmtpServer, type SmtpServer } from '../fixtures/smtp-server.ts';

const password = 'a long enough password';

let control: TestControlPlane;
let owner: SignedIn;
let guests: Guests;

beforeAll(async () => {
  control = await startTestControlPlane();
  owner = await control.signIn('owner');
  guests = new Guests(control, () => owner);
});
afterAll(() => control.stop());

describe('the page of the link', () => {
  test('runs its own script only', async () => {
    const response = await fetch(`${control.base}/invitation`);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const [, script] = /<script>(.*?)<\/script>/s.exec(await response.text())!;
    const digest = createHash('sha256').update(script!).digest('base64');
    const policy = response.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain(`script-src 'sha256-${digest}'`);
  });

  test('accepts with what is typed in, and says why where it is refused', async () => {
    const { email, token } = await guests.invited();
    const address = `${control.base}/invitation#${token}`;
    await using form = await OpenedForm.at(address);
    expect(form.says).toBe('');
    expect(await form.send({ Name: ' Ada ', Password: 'short' })).toContain(
      'must have 12 characters or more',
    );
    expect(form.isOffered).toBe(true);
    const welcome = `Welcome to My organization. You can log in now as ${email}.`;
    expect(await form.send({ Password: password })).toBe(welcome);
    expect(form.isOffered).toBe(false);
    expect((await guests.logIn(email, password)).body.user.name).toBe('Ada');

    await using again = await OpenedForm.at(address);
    expect(await again.send({ Password: password })).toMatch(/invitation/i);
    expect(again.isOffered).toBe(true);
  });

  test('offers nothing without a token', async () => {
    await using form = await OpenedForm.at(`${control.base}/invitation`);
    expect(form.isOffered).toBe(false);
    expect(form.says).toContain('not complete');
  });
});

describe('an account that there is', () => {
  async function knownInvited(): Promise<{ known: SignedIn; orgId: string; token: string }> {
    const known = await control.signIn('developer');
    const orgId = await newOrganization(control, owner);
    const { body } = await guests.invite({ email: known.email, role: 'admin' }, { orgId });
    return { known, orgId, token: guests.tokenIn(body.invitation_link) };
  }

  test('joins with its own password, which stays', async () => {
    const { known, orgId, token } = await knownInvited();
    const wrong = await guests.accept({ token, password });
    expect(wrong.status).toBe(403);
    expect(wrong.body.error.details.reason).toBe('confirmation_wrong');
    expect((await guests.accept({ token, password: testPassword, name: 'Renamed' })).status).toBe(
      200,
    );
    const login = await guests.logIn(known.email, testPassword, orgId);
    expect(login.body.user).toMatchObject({ role: 'admin', name: 'The developer' });
    expect((await guests.logIn(known.email, password, orgId)).status).toBe(401);
  });

  test('joins on the page, without a name', async () => {
    const { known, orgId, token } = await knownInvited();
    await using form = await OpenedForm.at(`${control.base}/invitation#${token}`);
    expect(await form.send({ Password: testPassword })).toContain(known.email);
    expect((await guests.logIn(known.email, testPassword, orgId)).status).toBe(200);
  });

  test('joins with its login; nobody else with his', async () => {
    const { known, orgId, token } = await knownInvited();
    const other = await control.signIn('developer');
    const path = '/v1/invitations/join';
    const foreign = await control.request('POST', path, { as: other.token, body: { token } });
    expect(foreign.status).toBe(403);
    expect(foreign.body.error.details.reason).toBe('invitation_for_another');
    const answer = await control.request('POST', path, { as: known.token, body: { token } });
    expect(answer.body).toMatchObject({ org_id: orgId, user_id: known.userId, status: 'active' });
    const read = `/v1/organizations/${orgId}`;
    expect((await control.request('GET', read, { as: known.token })).status).toBe(200);
    expect((await control.request('POST', path, { as: known.token, body: { token } })).status).toBe(
      404,
    );
  });

  test('without a password is not given one by an invitation', async () => {
    const { known, token } = await knownInvited();
    await control.store.query('UPDATE hatidata.users SET password_hash = NULL WHERE user_id = $1', [
      known.userId,
    ]);
    const answer = await guests.accept({ token, password });
    expect(answer.status).toBe(409);
    expect(answer.body.error.details.reason).toBe('invitation_needs_login');
    expect((await guests.logIn(known.email, password)).status).toBe(401);
  });

  test("its password can't be guessed with the token at hand", async () => {
    const { token } = await knownInvited();
    const from = someAddress();
    const statuses: number[] = [];
    for (let attempt = 0; attempt < 12; attempt += 1) {
      const body = { token, password: `guess number ${attempt}` };
      statuses.push(
        (await control.request('POST', '/v1/invitations/accept', { body, from })).status,
      );
      // Room for the rate limit of the address.
      control.pass(2_000);
    }
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(403));
    expect(statuses.slice(10)).toEqual([429, 429]);
  });
});

describe('with a mail server', () => {
  let smtp: SmtpServer;
  let mailing: TestControlPlane;
  let by: SignedIn;

  beforeAll(async () => {
    smtp = await startSmtpServer();
    const from = 'HatiData <hatidata@example.com>';
    mailing = await startTestControlPlane({ mail: { smtpUrl: smtp.url, from } });
    by = await mailing.signIn('owner');
  });
  afterAll(async () => {
    await mailing.stop();
    await smtp.stop();
  });

  function post(path: string, body?: object, headers: Record<string, string> = {}) {
    const at = `/v1/organizations/${mailing.orgId}/users${path}`;
    return mailing.request('POST', at, { as: by.token, body, headers });
  }

  test('the link goes by mail, and only there', async () => {
    const email = guests.someone();
    const answer = await post('', { email, role: 'developer' });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ mail: 'sent', status: 'invited' });
    expect(answer.body).not.toHaveProperty('invitation_link');
    expect(smtp.mails).toHaveLength(1);
    const [mail] = smtp.mails;
    expect(mail).toMatchObject({ from: 'hatidata@example.com', to: [email] });
    expect(mail!.data).toContain('From: HatiData <hatidata@example.com>');
    expect(mail!.data).toContain('Subject: Invitation to My organization on HatiData');
    const link = /^https:\/\/hatidata\.test\/\S+$/m.exec(unfolded(mail!.data))![0];
    const body = { token: guests.tokenIn(link), password };
    const joined = await mailing.request('POST', '/v1/invitations/accept', { body });
    expect(joined.body).toMatchObject({ email, role: 'developer' });
  });

  test('one that is refused is said to have failed; it can be sent again', async () => {
    smtp.isAccepting = false;
    const answer = await post('', { email: guests.someone(), role: 'analyst' });
    expect(answer.status).toBe(201);
    expect(answer.body).toMatchObject({ mail: 'failed', status: 'invited' });
    expect(answer.body).not.toHaveProperty('invitation_link');
    expect(mailing.proxy.logged()).toContain('an invitation was not mailed');
    smtp.isAccepting = true;
    smtp.mails.length = 0;
    const again = await post(`/${answer.body.user_id}/resend`);
    expect(again.body).toMatchObject({ mail: 'sent' });
    expect(smtp.mails).toHaveLength(1);
  });

  test('the same request twice sends one', async () => {
    smtp.mails.length = 0;
    const body = { email: guests.someone(), role: 'analyst' };
    const headers = { 'idempotency-key': 'invited-once' };
    expect((await post('', body, headers)).body).toMatchObject({ mail: 'sent' });
    const again = await post('', body, headers);
    expect(again.status).toBe(201);
    expect(again.body).toMatchObject({ mail: 'unknown' });
    expect(smtp.mails).toHaveLength(1);
  });

  test("a name can't add a header", async () => {
    smtp.mails.length = 0;
    await mailing.store.query('UPDATE hatidata.organizations SET name = $1 WHERE org_id = $2', [
      'Acme\r\nBcc: victim@example.com',
      mailing.orgId,
    ]);
    await post('', { email: guests.someone(), role: 'analyst' });
    const [head] = smtp.mails[0]!.data.split('\n\n', 1);
    expect(head).not.toMatch(/^Bcc:/im);
    expect(smtp.mails[0]!.to).toHaveLength(1);
  });
});

/** Quoted-printable: soft line breaks, and characters as their code. */
function unfolded(data: string): string {
  return data
    .replaceAll('=\n', '')
    .replaceAll(/=([0-9A-F]{2})/g, (_whole, code: string) =>
      String.fromCharCode(parseInt(code, 16)),
    );
}
