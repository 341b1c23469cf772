/** Guessing passwords: it gets slow, on every instance, and locks out nobody else. And a store that is away. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  reasonOf,
  someAddress,
  startTestControlPlane,
  testPassword,
  type Answered,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';
import { loginUrl } from '../fixtures/proxy.ts';
import { Relay } from '../fixtures/relay.ts';

const secretKey = randomBytes(32).toString('base64');
const second = 1_000;
const hour = 3_600 * second;
const day = 24 * hour;

let control: TestControlPlane;
/** Another instance on the same store, which it reaches through a relay. */
let beside: TestControlPlane;
let relay: Relay;

beforeAll(async () => {
  control = await startTestControlPlane({ secretKey });
  const { proxy } = control;
  const store = proxy.direct('control');
  relay = await Relay.start(`${store.host}/.s.PGSQL.${store.port}`);
  const { user, password, database } = store;
  beside = await startTestControlPlane({
    secretKey,
    engine: {
      kind: 'url',
      url: loginUrl(proxy.direct('writer')),
      readerUrl: loginUrl(proxy.direct('reader')),
    },
    controlDatabaseUrl: `postgres://${user}:${String(password)}@${relay.address}/${database}?sslmode=disable`,
  });
});
afterAll(async () => {
  await beside.stop();
  relay.stop();
  await control.stop();
});

function pass(milliseconds: number): void {
  control.pass(milliseconds);
  beside.pass(milliseconds);
}

interface Login {
  readonly email: string;
  readonly password?: string;
}

const logIn = (login: Login, from: string, at = control): Promise<Answered> =>
  at.request('POST', '/v1/auth/login', { body: { password: testPassword, ...login }, from });

const wrong = 'not the password';

/** One after the other, with time in between for what each address may ask. */
async function guess(email: string, times: number, from: () => string): Promise<number[]> {
  const statuses = [];
  for (let time = 0; time < times; time += 1) {
    statuses.push((await logIn({ email, password: wrong }, from())).status);
    pass(second);
  }
  return statuses;
}

describe('guessing a password', () => {
  test('from one place has to wait, longer each time, also with the right one', async () => {
    const { email } = await control.signIn('analyst');
    const here = someAddress();
    expect(await guess(email, 10, () => here)).toEqual(Array(10).fill(401));
    const blocked = await logIn({ email }, here);
    expect(reasonOf(blocked)).toEqual([429, 'too_many_attempts']);
    const retryAfter = Number(blocked.headers.get('retry-after'));
    expect(retryAfter).toBeGreaterThan(20);
    expect(retryAfter).toBeLessThanOrEqual(30);
    expect(blocked.body.error).toMatchObject({
      code: 'RATE_LIMITED',
      details: { retry_after: retryAfter },
    });
    pass(retryAfter * second);
    expect(await guess(email, 1, () => here)).toEqual([401]);
    const longer = Number((await logIn({ email }, here)).headers.get('retry-after'));
    expect(longer).toBeGreaterThan(50);
    pass(longer * second);
    expect((await logIn({ email }, here)).status).toBe(200);
    expect(await guess(email, 1, () => here)).toEqual([401]);
  });

  test('does not keep others out who come from elsewhere', async () => {
    const { email } = await control.signIn('analyst');
    const here = someAddress();
    await guess(email, 11, () => here);
    expect((await logIn({ email }, here)).status).toBe(429);
    expect((await logIn({ email }, someAddress())).status).toBe(200);
    expect((await logIn({ email: (await control.signIn('admin')).email }, here)).status).toBe(200);
  });

  test('counts many at once one by one, before they are decided', async () => {
    const { email } = await control.signIn('analyst');
    const addresses = Array.from({ length: 3 }, (_, host) => `2001:db8:7:7::${host + 1}`);
    const answers = await Promise.all(
      addresses.flatMap((from) =>
        Array.from({ length: 8 }, () => logIn({ email, password: wrong }, from)),
      ),
    );
    const refused = answers.filter(({ status }) => status === 401);
    // One IPv6 network is one place, whatever its addresses.
    expect(refused).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(14);
    expect((await logIn({ email }, '2001:db8:7:8::1')).status).toBe(200);
  });

  test('counts on all instances', async () => {
    const { email } = await control.signIn('analyst');
    const here = someAddress();
    await guess(email, 10, () => here);
    expect((await logIn({ email }, here, beside)).status).toBe(429);
    expect((await logIn({ email }, someAddress(), beside)).status).toBe(200);
  });

  test('from everywhere is slowed down, but not where the account is known', async () => {
    const { email } = await control.signIn('analyst');
    const home = someAddress();
    expect((await logIn({ email }, home)).status).toBe(200);
    expect(await guess(email, 100, someAddress)).toEqual(Array(100).fill(401));
    const blocked = await logIn({ email }, someAddress());
    expect(reasonOf(blocked)).toEqual([429, 'too_many_attempts']);
    expect(Number(blocked.headers.get('retry-after'))).toBeLessThanOrEqual(3_600);
    expect((await logIn({ email }, home)).status).toBe(200);
    pass(hour);
    const elsewhere = someAddress();
    expect((await logIn({ email }, elsewhere)).status).toBe(200);
    pass(31 * day);
    await guess(email, 100, someAddress);
    expect((await logIn({ email }, elsewhere)).status).toBe(429);
  });

  test('is answered alike for an account that there is not', async () => {
    const here = someAddress();
    expect(await guess('nobody@example.org', 10, () => here)).toEqual(Array(10).fill(401));
    expect((await logIn({ email: 'nobody@example.org' }, here)).status).toBe(429);
  });

  test('with a token that was stolen is counted like a login', async () => {
    const { token, email } = await control.signIn('analyst');
    const from = someAddress();
    const change = (current: string): Promise<Answered> =>
      control.request('POST', '/v1/auth/password', {
        as: token,
        from,
        body: { current_password: current, new_password: 'a new one of enough' },
      });
    for (let time = 0; time < 10; time += 1)
      expect(reasonOf(await change('wrong'))).toEqual([403, 'confirmation_wrong']);
    expect((await change(testPassword)).status).toBe(429);
    expect((await logIn({ email }, from)).status).toBe(429);
  });

  test('leaves nothing behind after a day', async () => {
    pass(40 * day);
    await control.signIn('analyst');
    await logIn({ email: 'last@example.com' }, someAddress());
    await logIn({ email: 'last@example.com' }, someAddress());
    await logIn({ email: 'last@example.com' }, someAddress());
    const { rows } = await control.store.query(
      'SELECT count(*)::int AS old FROM hatidata.login_attempts WHERE at < $1',
      [new Date(control.now().getTime() - day)],
    );
    expect(rows).toEqual([{ old: 0 }]);
  });
});

test('a password is good for as many logins as one likes', async () => {
  const { email } = await control.signIn('analyst');
  const answers = await Promise.all(
    Array.from({ length: 9 }, () =>
      control.request('POST', '/v1/auth/login', {
        body: { email, password: testPassword },
        from: '192.0.2.77',
      }),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(9).fill(200));
});

describe('the store away', () => {
  test('nobody is let in, nobody is told that he is wrong, and then it goes on', async () => {
    const { token, refreshToken, email } = await control.signIn('analyst');
    relay.refuse();
    relay.cut();
    const from = someAddress();
    const answers = await Promise.all([
      logIn({ email }, from, beside),
      logIn({ email: 'nobody@example.com' }, from, beside),
      beside.request('POST', '/v1/auth/refresh', { body: { refresh_token: refreshToken }, from }),
      beside.request('GET', '/v1/auth/me', { as: token }),
      beside.request('POST', '/v1/auth/logout', { as: token }),
      beside.request('GET', '/.well-known/jwks.json', { from }),
    ]);
    for (const answer of answers) expect(reasonOf(answer)).toEqual([503, 'store_unreachable']);
    expect((await beside.request('GET', '/health', { from })).status).toBe(200);
    await relay.listen();
    const answer = await beside.request('GET', '/v1/auth/me', { as: token });
    expect(answer.status).toBe(200);
    const next = await beside.request('POST', '/v1/auth/refresh', {
      body: { refresh_token: refreshToken },
      from,
    });
    expect(next.status).toBe(200);
  });
});
