/** Organizations that tests make. */
import { expect } from 'vitest';
import type { SignedIn, TestControlPlane } from '../fixtures/control-plane.ts';

let made = 0;

export function wish(more: object = {}): { name: string; slug: string; billing_email: string } {
  made += 1;
  return { name: 'Acme', slug: `acme-${made}`, billing_email: 'billing@acme.example', ...more };
}

export async function newOrganization(control: TestControlPlane, by: SignedIn): Promise<string> {
  const { status, body } = await control.request('POST', '/v1/organizations', {
    as: by.token,
    body: wish(),
  });
  expect(status).toBe(201);
  return body.org_id;
}

export async function recordsOf(control: TestControlPlane, orgId: string) {
  const { rows } = await control.store.query(
    'SELECT action, actor, detail FROM hatidata.iam_audit WHERE org_id = $1 ORDER BY sequence',
    [orgId],
  );
  return rows;
}
