/** Asking for API keys, as the owner of the first organization and others. */
import { expect, vi } from 'vitest';
import {
  someAddress,
  startTestControlPlane,
  type Answered,
  type SignedIn,
  type TestControlPlane,
} from '../../fixtures/control-plane.ts';

/** As a creation answers. */
interface MadeKey {
  readonly key_id: string;
  readonly name: string;
  readonly key: string;
  readonly prefix: string;
  readonly scopes: readonly string[];
}

export class KeyDesk {
  readonly control: TestControlPlane;
  readonly owner: SignedIn;
  /** Those of the environment production. */
  readonly keys: string;
  private made = 0;

  private constructor(control: TestControlPlane, owner: SignedIn) {
    this.control = control;
    this.owner = owner;
    this.keys = `/v1/environments/${control.envId}/api-keys`;
  }

  static async open(): Promise<KeyDesk> {
    const control = await startTestControlPlane();
    return new KeyDesk(control, await control.signIn('owner'));
  }

  ask(
    method: string,
    path: string,
    body?: unknown,
    as: string = this.owner.token,
  ): Promise<Answered> {
    return this.control.request(method, path, { as, body, from: someAddress() });
  }

  newName(): string {
    this.made += 1;
    return `key ${this.made}`;
  }

  async create(more: object = {}, path = this.keys): Promise<MadeKey> {
    const wish = { name: this.newName(), scopes: ['query:read'], ...more };
    const answer = await this.ask('POST', path, wish);
    expect([answer.status, answer.body]).toMatchObject([201, { name: wish.name }]);
    return answer.body;
  }

  /** Whether it is let in. */
  async letsIn(secret: string): Promise<boolean> {
    const { status } = await this.ask('GET', '/v1/health', undefined, secret);
    return status === 200;
  }

  /** @returns where the keys of a new one are */
  async environment(slug: string): Promise<string> {
    const { body } = await this.ask(
      'POST',
      `/v1/organizations/${this.control.orgId}/environments`,
      { name: slug, slug },
    );
    const path = `/v1/environments/${body.env_id}`;
    await vi.waitFor(
      async () => expect((await this.ask('GET', path)).body).toMatchObject({ status: 'active' }),
      { timeout: 30_000, interval: 100 },
    );
    return `${path}/api-keys`;
  }
}
