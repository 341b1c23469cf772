import type pg from 'pg';
import { afterAll, beforeAll } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';

export const clientNamed = 'SELECT * FROM _hatidata_status.clients WHERE application_name = $1';

export type Row = Record<string, unknown>;

/** A proxy for the tests of a file, with a table `t`, and its operator, who looks into `_hatidata_status`. */
export class Operator {
  private started: { readonly proxy: TestProxy; readonly admin: pg.Client } | undefined;

  constructor(options?: Parameters<typeof startTestProxy>[0]) {
    beforeAll(async () => {
      const proxy = await startTestProxy(options);
      const admin = await proxy.client('', { application_name: 'operator' });
      await admin.query('CREATE TABLE t (id int, name text)');
      this.started = { proxy, admin };
    });
    afterAll(() => this.started?.proxy.stop());
  }

  get proxy(): TestProxy {
    return this.started!.proxy;
  }

  get admin(): pg.Client {
    return this.started!.admin;
  }

  async rows(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.admin.query<Row>(text, values)).rows;
  }

  async row(text: string, values: unknown[] = []): Promise<Row | undefined> {
    return (await this.rows(text, values))[0];
  }

  client(name: string, key = ''): Promise<pg.Client> {
    return this.proxy.client(key, { application_name: name });
  }

  /** @returns the secret of a new one. */
  async key(agent: string, scope: string, limits?: object): Promise<string> {
    const values = [agent, scope, limits === undefined ? null : JSON.stringify(limits)];
    const text = 'SELECT create_api_key($1, $2, limits => $3)';
    return String((await this.row(text, values))!['api_key']);
  }
}
