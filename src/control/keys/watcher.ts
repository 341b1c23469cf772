import pg from 'pg';
import type { Logger } from 'pino';
import type { SecretId } from '../../ports.ts';
import type { StoreKeyDirectory } from './directory.ts';
import { endedChannel } from './store.ts';

const heartbeatMs = 5_000;
const shortestRetryMs = 100;
const longestRetryMs = 5_000;

/** Hears of ended secrets from the store, on a connection of its own that is kept alive and remade. */
export class KeyWatcher {
  private readonly config: pg.ClientConfig;
  private readonly directory: StoreKeyDirectory;
  private readonly log: Logger;
  private client: pg.Client | undefined;
  private timer: NodeJS.Timeout | undefined;
  private retryMs = shortestRetryMs;
  private stopped = false;

  constructor(parts: { config: pg.ClientConfig; directory: StoreKeyDirectory; log: Logger }) {
    this.config = parts.config;
    this.directory = parts.directory;
    this.log = parts.log;
  }

  /** Whether changes are heard now. */
  get isHearing(): boolean {
    return this.client !== undefined;
  }

  /** Resolves once changes are heard; rejects when the first connection fails. */
  async start(): Promise<void> {
    await this.listen();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.client?.end();
  }

  private async listen(): Promise<void> {
    const client = new pg.Client({
      ...this.config,
      application_name: 'hatidata key watcher',
      keepAlive: true,
      connectionTimeoutMillis: 5_000,
      query_timeout: heartbeatMs,
    });
    client.on('notification', (notification) => {
      if (notification.payload !== undefined) this.directory.end(notification.payload as SecretId);
    });
    client.on('error', (error) => this.lost(client, error));
    client.on('end', () => this.lost(client, new Error('connection ended')));
    try {
      await client.connect();
      await client.query(`LISTEN ${endedChannel}`);
      // From here on nothing is missed; what ended before is found by asking.
      await this.directory.resume();
    } catch (error) {
      client.end().catch(() => undefined);
      throw error;
    }
    this.client = client;
    this.retryMs = shortestRetryMs;
    this.beat(client);
  }

  /** A half-open connection is found by asking now and then. */
  private beat(client: pg.Client): void {
    this.timer = setTimeout(() => {
      client.query('SELECT 1').then(
        () => {
          if (this.client === client) this.beat(client);
        },
        (error: unknown) => this.lost(client, error),
      );
    }, heartbeatMs).unref();
  }

  private lost(client: pg.Client, error: unknown): void {
    if (this.client !== client) return;
    this.client = undefined;
    this.directory.suspend();
    clearTimeout(this.timer);
    if (this.stopped) return;
    this.log.warn({ err: error }, 'the control store is not heard; retrying');
    client.end().catch(() => undefined);
    this.retry();
  }

  private retry(): void {
    this.timer = setTimeout(() => {
      this.listen().then(
        () => this.log.info('the control store is heard again'),
        (error: unknown) => {
          this.log.debug({ err: error }, 'the control store is still not heard');
          if (!this.stopped) this.retry();
        },
      );
    }, this.retryMs).unref();
    this.retryMs = Math.min(this.retryMs * 2, longestRetryMs);
  }
}
