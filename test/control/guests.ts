import { expect } from 'vitest';
import {
  someAddress,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../fixtures/control-plane.ts';

/** Who is invited, and what the guests do. */
export class Guests {
  private readonly control: TestControlPlane;
  private readonly owner: () => SignedIn;
  private count = 0;

  /** @param owner whose tokens end when the clock passes an hour */
  constructor(control: TestControlPlane, owner: () => SignedIn) {
    this.control = control;
    this.owner = owner;
  }

  /** The mail address of somebody whom nobody knows yet. */
  someone(): string {
    this.count += 1;
    return `someone-${this.count}@example.com`;
  }

  invite(
    body: object,
    { as = this.owner().token, orgId = this.control.orgId } = {},
  ): Promise<Answered> {
    return this.control.request('POST', `/v1/organizations/${orgId}/users`, { as, body });
  }

  tokenIn(link: string): string {
    return /^https:\/\/hatidata\.test\/invitation#(inv_[\w-]{43})$/.exec(link)![1]!;
  }

  async invited(body: object = {}, orgId = this.control.orgId) {
    const email = this.someone();
    const answer = await this.invite({ email, role: 'analyst', ...body }, { orgId });
    expect(answer.status).toBe(201);
    const { user_id: userId, invitation_link: link } = answer.body;
    return { email, userId: userId as string, token: this.tokenIn(link) };
  }

  accept(body: object): Promise<Answered> {
    return this.control.request('POST', '/v1/invitations/accept', { body, from: someAddress() });
  }

  logIn(email: string, password: string, orgId = this.control.orgId): Promise<Answered> {
    const body = { email, password, org_id: orgId };
    return this.control.request('POST', '/v1/auth/login', { body, from: someAddress() });
  }
}
