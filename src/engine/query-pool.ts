import pg from 'pg';

/** How long the engine may take to say goodbye. */
const endMs = 2_000;

export interface QueryPoolOptions extends pg.PoolConfig {
  /** Of the engine's log and pg_stat_activity. */
  readonly application_name: string;
  readonly onBroken?: (error: Error) => void;
}

/** A few connections for queries of our own, apart from those of clients. One that breaks is made anew when it is needed. */
export class QueryPool {
  private readonly pool: pg.Pool;
  private readonly clients = new Set<pg.PoolClient>();

  constructor({ onBroken = () => undefined, ...config }: QueryPoolOptions) {
    this.pool = new pg.Pool({ ...config, enableChannelBinding: true });
    this.pool.on('error', onBroken);
    this.pool.on('connect', (client) => {
      this.clients.add(client);
      // The pool listens to idle clients only.
      client.on('error', onBroken);
    });
    this.pool.on('remove', (client) => this.clients.delete(client));
  }

  query(text: string, values?: unknown[]): Promise<unknown> {
    return this.pool.query(text, values);
  }

  connect(): Promise<pg.PoolClient> {
    return this.pool.connect();
  }

  /** Also where the engine has gone silent. */
  async end(): Promise<void> {
    const timer = setTimeout(() => {
      for (const client of this.clients)
        (client as unknown as Internals).connection.stream.destroy();
    }, endMs);
    await this.pool.end();
    clearTimeout(timer);
  }
}

/** What pg's types leave out. */
interface Internals {
  readonly connection: { readonly stream: { destroy(): void } };
}
