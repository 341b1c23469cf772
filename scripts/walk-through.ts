/**
 * The agent-RBAC walk-through, by a real Postgres client. Every answer is compared with what it must be; the first that
 * differs ends it with a `Mismatch`. It can be run again and again: it removes its own agents and rows first.
 */
import { Client, DatabaseError } from 'pg';
import type { QueryArrayResult } from 'pg';
import { renderTable } from '../src/cli/table.ts';

export interface WalkThroughOptions {
  readonly host: string;
  readonly port: number;
  readonly print: (line: string) => void;
}

export class Mismatch extends Error {
  constructor(what: string, expected: string, actual: string) {
    super(`${what}\n  expected: ${expected}\n  came back: ${actual}`);
    this.name = 'Mismatch';
  }
}

const analytics = 'analytics-agent';
const pipeline = 'pipeline-agent';
const ownRow = 9001;

export async function walkThrough(options: WalkThroughOptions): Promise<void> {
  const walk = new Walk(options);
  try {
    await walk.run();
  } finally {
    await walk.close();
  }
}

type Rows = readonly (readonly (string | null)[])[];

class Walk {
  private readonly options: WalkThroughOptions;
  private readonly clients: Client[] = [];

  constructor(options: WalkThroughOptions) {
    this.options = options;
  }

  async run(): Promise<void> {
    const { host, port } = this.options;
    this.heading('1. The administrator connects to the proxy, without a key');
    const admin = await this.connect('');
    this.say(`connected to ${host}:${port}`);
    await this.removeTraces(admin);

    this.heading('2. A key for each agent');
    const readonlyKey = await this.createKey(
      admin,
      analytics,
      'readonly',
      'Dashboards and reports',
    );
    const adminKey = await this.createKey(admin, pipeline, 'admin', 'Loads and transforms data');

    this.heading(`3. ${analytics} may read, and nothing else`);
    await this.readonlyAgent(
      await this.connect(readonlyKey),
      await this.value(admin, 'SELECT count(*) FROM products'),
    );

    this.heading(`4. ${pipeline} may write`);
    await this.adminAgent(await this.connect(adminKey));

    this.heading(`5. ${analytics} gets a new key; the old one is dead at once`);
    await this.rotation(admin, readonlyKey);

    this.heading('6. The active keys');
    await this.activeKeys(admin);
  }

  async close(): Promise<void> {
    await Promise.all(this.clients.map((client) => client.end()));
  }

  private async readonlyAgent(agent: Client, rowCount: string): Promise<void> {
    const count = await this.ask(agent, 'SELECT count(*) FROM products');
    this.equal('the number of products', rowCount, count);
    this.say(`SELECT allowed: ${count} products`);
    await this.blocked(
      agent,
      `INSERT INTO products (id, name, price) VALUES (${ownRow}, 'Unauthorized', 0.00)`,
      'INSERT blocked',
      'Permission denied: readonly scope cannot execute INSERT',
    );
    await this.blocked(
      agent,
      'DROP TABLE products',
      'DROP TABLE blocked',
      'Permission denied: readonly scope cannot execute DDL',
    );
  }

  private async adminAgent(agent: Client): Promise<void> {
    for (const [sql, tag, label] of [
      [
        `INSERT INTO products (id, name, price) VALUES (${ownRow}, 'Widget Pro', 49.99)`,
        'INSERT 1',
        'INSERT allowed',
      ],
      [`UPDATE products SET price = 44.99 WHERE id = ${ownRow}`, 'UPDATE 1', 'UPDATE allowed'],
      [
        'CREATE TABLE quickstart_staging (id integer PRIMARY KEY, loaded_at timestamptz DEFAULT now())',
        'CREATE',
        'CREATE TABLE allowed',
      ],
      ['DROP TABLE quickstart_staging', 'DROP', 'DROP TABLE allowed'],
    ] as const) {
      this.say(`> ${sql}`);
      const { command, rowCount } = await agent.query(sql);
      this.equal(label, tag, rowCount === null ? command : `${command} ${rowCount}`);
      this.say(label);
    }
    const price = await this.ask(agent, `SELECT price FROM products WHERE id = ${ownRow}`);
    this.equal('the new price', '44.99', price);
    this.say(`the new price: ${price}`);
    await agent.query(`DELETE FROM products WHERE id = ${ownRow}`);
  }

  private async rotation(admin: Client, oldKey: string): Promise<void> {
    const newKey = await this.ask(
      admin,
      `SELECT rotate_api_key('${analytics}')`,
      'api_key',
      shortened,
    );
    if (newKey === oldKey) throw new Mismatch('rotation', 'another key', 'the same key');
    this.say(`new key: ${shortened(newKey)}`);

    const failure = await this.failureOf(() => this.connect(oldKey));
    this.equal('the old key', '28P01 Authentication failed: invalid API key', failure);
    this.say('the old key: Authentication failed: invalid API key');

    const agent = await this.connect(newKey);
    this.say(`the new key: ${await this.value(agent, 'SELECT count(*) FROM products')} products`);
  }

  private async activeKeys(admin: Client): Promise<void> {
    const sql =
      'SELECT agent_id, scope, created_at, last_used_at FROM _hatidata_keys.active_keys ORDER BY created_at DESC';
    this.say(`> ${sql}`);
    const { fields, rows } = await textQuery(admin, sql);
    for (const line of renderTable(fields, rows).split('\n')) this.say(line);
    for (const [agent, scope] of [
      [analytics, 'readonly'],
      [pipeline, 'admin'],
    ]) {
      const found = rows.filter((row) => row[0] === agent).map((row) => row[1]);
      this.equal(`the active keys of ${agent}`, String(scope), found.join(', '));
    }
  }

  /** What an earlier run, perhaps one that was cut short, has left. */
  private async removeTraces(admin: Client): Promise<void> {
    const { rows } = await textQuery(admin, 'SELECT agent_id FROM _hatidata_keys.active_keys');
    for (const agent of [analytics, pipeline]) {
      if (rows.some((row) => row[0] === agent))
        await admin.query(`SELECT revoke_api_key('${agent}')`);
    }
    await admin.query(`DELETE FROM products WHERE id = ${ownRow}`);
    await admin.query('DROP TABLE IF EXISTS quickstart_staging');
  }

  private async createKey(
    admin: Client,
    agent: string,
    scope: string,
    description: string,
  ): Promise<string> {
    const key = await this.ask(
      admin,
      `SELECT create_api_key('${agent}', '${scope}', '${description}')`,
      'api_key',
      shortened,
    );
    const prefix = scope === 'readonly' ? 'hd_ro_' : 'hd_admin_';
    if (!key.startsWith(prefix))
      throw new Mismatch(`the key of ${agent}`, `${prefix}…`, shortened(key));
    this.say(`${agent} (${scope}): ${shortened(key)}`);
    return key;
  }

  private async connect(password: string): Promise<Client> {
    const { host, port } = this.options;
    const client = new Client({
      host,
      port,
      database: 'hatidata',
      user: 'agent',
      // A function, so that no password from the environment takes the place of an empty one.
      password: () => password,
      ssl: false,
      application_name: 'quickstart',
      connectionTimeoutMillis: 10_000,
    });
    // The session of the rotated key is ended by the proxy, as it must be.
    client.on('error', () => {});
    await client.connect();
    this.clients.push(client);
    return client;
  }

  /** Shows the statement and returns its one value. */
  private async ask(
    client: Client,
    sql: string,
    column?: string,
    shown: (value: string) => string = String,
  ): Promise<string> {
    this.say(`> ${sql}`);
    return this.value(client, sql, column, shown);
  }

  private async value(
    client: Client,
    sql: string,
    column?: string,
    shown: (value: string) => string = String,
  ): Promise<string> {
    const { fields, rows } = await textQuery(client, sql);
    const value = rows[0]?.[0];
    if (rows.length !== 1 || typeof value !== 'string') {
      throw new Mismatch(sql, 'one row', `${rows.length} rows`);
    }
    if (column !== undefined && fields[0]?.name !== column) {
      throw new Mismatch(sql, `column ${column}`, `column ${fields[0]?.name} (${shown(value)})`);
    }
    return value;
  }

  private async blocked(
    client: Client,
    sql: string,
    label: string,
    sentence: string,
  ): Promise<void> {
    this.say(`> ${sql}`);
    const failure = await this.failureOf(() => client.query(sql));
    this.equal(label, `42501 ${sentence}`, failure);
    this.say(`${label}: ${sentence}`);
  }

  private async failureOf(work: () => Promise<unknown>): Promise<string> {
    try {
      await work();
    } catch (error) {
      if (error instanceof DatabaseError) return `${error.code} ${error.message}`;
      throw error;
    }
    return 'no error';
  }

  private equal(what: string, expected: string, actual: string): void {
    if (actual !== expected) throw new Mismatch(what, expected, actual);
  }

  private heading(text: string): void {
    this.options.print('');
    this.options.print(text);
  }

  private say(text: string): void {
    this.options.print(`   ${text}`);
  }
}

/** Values as the server wrote them. */
async function textQuery(
  client: Client,
  text: string,
): Promise<QueryArrayResult<(string | null)[]> & { rows: Rows }> {
  return client.query<(string | null)[]>({
    text,
    rowMode: 'array',
    types: { getTypeParser: () => (value: string) => value },
  });
}

/** Enough of a key to know it by. */
function shortened(key: string): string {
  return `${key.slice(0, 12)}...`;
}
