/** What tests of logins ask. */
import { someAddress, type Answered, type TestControlPlane } from '../fixtures/control-plane.ts';

/** From an address that nobody has seen. */
export function logIn(control: TestControlPlane, body: unknown): Promise<Answered> {
  return control.request('POST', '/v1/auth/login', { body, from: someAddress() });
}

export function me(control: TestControlPlane, token: string): Promise<Answered> {
  return control.request('GET', '/v1/auth/me', { as: token });
}

/** The records of an act, the newest first. */
export async function recorded(
  control: TestControlPlane,
  action: string,
  target: string,
): Promise<Record<string, unknown>[]> {
  const { rows } = await control.store.query(
    `SELECT action, actor, actor_key_id, source, target, org_id, request_id, detail FROM hatidata.iam_audit
      WHERE action = $1 AND target = $2 ORDER BY sequence DESC`,
    [action, target],
  );
  return rows;
}

export async function otherOrganization(control: TestControlPlane): Promise<string> {
  const { rows } = await control.store.query<{ org_id: string }>(
    `INSERT INTO hatidata.organizations (org_id, name, slug, billing_email)
     VALUES (hatidata.new_id('org_'), 'Other', hatidata.new_id('other-'), 'other@example.com') RETURNING org_id`,
  );
  return rows[0]!.org_id;
}
