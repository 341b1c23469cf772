import pg from 'pg';
import type { Logger } from 'pino';

/** LISTEN/NOTIFY between the proxies of a store: https://www.postgresql.org/docs/18/sql-notify.html */

/** What NOTIFY carries, in bytes, less than PostgreSQL's limit of 8,000. */
export const longestPayload = 7_900;

const heartbeatMs = 2_000;
/** For an answer. */
const patienceMs = 5_000;
const shortestRetryMs = 100;
const longestRetryMs = 2_000;

export interface StoreChannelHooks {
  /** Finds out what went unheard; the store counts as heard only after it. */
  readonly catchUp: () => Promise<void>;
  readonly onHeard: () => void;
  /** @param heardAt when the store last answered, by `performance.now()` */
  readonly onLost: (heardAt: number) => void;
}

/** One connection to the control store that is kept alive and remade: on it the proxies of the store hear each other. */
export class StoreChannel {
  private readonly config: pg.ClientConfig;
  private readonly log: Logger;
  private readonly receivers = new Map<string, (payload: string) => void>();
  private readonly hooks: StoreChannelHooks[] = [];
  private readonly beginnings: string[] = [];
  private client: pg.Client | undefined;
  private timer: NodeJS.Timeout | undefined;
  private retryMs = shortestRetryMs;
  private heardAt = performance.now();
  /** Queries go one after the other. */
  private last: Promise<unknown> = Promise.resolve();
  private stopped = false;

  constructor(parts: { readonly config: pg.ClientConfig; readonly log: Logger }) {
    this.config = parts.config;
    this.log = parts.log;
  }

  /** Whether notifications are heard now. */
  get isHeard(): boolean {
    return this.client !== undefined;
  }

  /** Before `start`. @param channel a name that needs no quotes */
  receive(channel: string, receiver: (payload: string) => void): void {
    this.receivers.set(channel, receiver);
  }

  /** Before `start`. @param text SQL that each connection begins with */
  beginWith(text: string): void {
    this.beginnings.push(text);
  }

  /** Before `start`. */
  watch(hooks: StoreChannelHooks): void {
    this.hooks.push(hooks);
  }

  /** Resolves once the store is heard; rejects when the first connection fails. */
  async start(): Promise<void> {
    await this.listen();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.client?.end();
  }

  /** Resolves when it is on its way to all who listen, ourselves among them. Rejects while the store is not heard. */
  async publish(channel: string, payload: string): Promise<void> {
    await this.ask('SELECT pg_catalog.pg_notify($1, $2)', [channel, payload]);
  }

  private ask(text: string, values: readonly string[] = []): Promise<unknown> {
    const asking = this.last.then(() => {
      if (this.client === undefined) throw new Error('the control store is not heard');
      return this.client.query(text, [...values]);
    });
    this.last = asking.catch(() => undefined);
    return asking;
  }

  private async listen(): Promise<void> {
    const client = new pg.Client({
      ...this.config,
      application_name: 'hatidata store channel',
      keepAlive: true,
      connectionTimeoutMillis: patienceMs,
      query_timeout: patienceMs,
    });
    let broke: Error | undefined;
    const lost = (error: Error): void => {
      broke ??= error;
      this.lost(client, error);
    };
    client.on('notification', ({ channel, payload }) => {
      if (payload !== undefined) this.receivers.get(channel)?.(payload);
    });
    client.on('error', lost);
    client.on('end', () => lost(new Error('connection ended')));
    try {
      await client.connect();
      for (const text of this.beginnings) await client.query(text);
      for (const channel of this.receivers.keys()) await client.query(`LISTEN ${channel}`);
      // From here on nothing is missed; what came before is found by asking.
      for (const { catchUp } of this.hooks) await catchUp();
      if (broke !== undefined) throw broke;
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
    if (this.stopped) {
      await client.end();
      return;
    }
    this.client = client;
    this.heardAt = performance.now();
    this.retryMs = shortestRetryMs;
    this.beat(client);
    for (const { onHeard } of this.hooks) onHeard();
  }

  /** A half-open connection is found by asking now and then. */
  private beat(client: pg.Client): void {
    this.timer = setTimeout(() => {
      this.ask('SELECT 1').then(
        () => {
          if (this.client !== client) return;
          this.heardAt = performance.now();
          this.beat(client);
        },
        (error: unknown) => this.lost(client, error),
      );
    }, heartbeatMs).unref();
  }

  private lost(client: pg.Client, error: unknown): void {
    if (this.client !== client) return;
    this.client = undefined;
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.log.warn({ err: error }, 'the control store is not heard; retrying');
    client.end().catch(() => undefined);
    this.retry();
    for (const { onLost } of this.hooks) onLost(this.heardAt);
  }

  private retry(): void {
    // Not all proxies at the same moment.
    const delayMs = this.retryMs * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => {
      this.listen().then(
        () => this.log.info('the control store is heard again'),
        (error: unknown) => {
          this.log.debug({ err: error }, 'the control store is still not heard');
          if (!this.stopped) this.retry();
        },
      );
    }, delayMs).unref();
    this.retryMs = Math.min(this.retryMs * 2, longestRetryMs);
  }
}
