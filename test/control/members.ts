/** What tests of an organization's users ask. */
import { expect } from 'vitest';
import type { TestControlPlane } from '../fixtures/control-plane.ts';

export function userPath(
  control: TestControlPlane,
  userId = '',
  rest = '',
  orgId = control.orgId,
): string {
  return `/v1/organizations/${orgId}/users${userId && `/${userId}`}${rest}`;
}

/** @param by the token or the key that makes it */
export async function keyOf(
  control: TestControlPlane,
  by: string,
  name: string,
  scopes = ['key:*', 'query:read'],
) {
  const { status, body } = await control.request(
    'POST',
    `/v1/environments/${control.envId}/api-keys`,
    { as: by, body: { name, scopes } },
  );
  expect(status).toBe(201);
  return { key: body.key as string, keyId: body.key_id as string };
}

export async function recordOf(control: TestControlPlane, action: string, target: string) {
  const { rows } = await control.store.query(
    'SELECT actor, detail FROM hatidata.iam_audit WHERE action = $1 AND target = $2',
    [action, target],
  );
  return rows;
}

export async function eventsOf(control: TestControlPlane, type: string, userId: string) {
  const { rows } = await control.store.query<{ body: string }>(
    'SELECT body FROM hatidata.events WHERE type = $1 AND body LIKE $2',
    [type, `%"user_id":"${userId}"%`],
  );
  return rows.map((row) => JSON.parse(row.body).data);
}
