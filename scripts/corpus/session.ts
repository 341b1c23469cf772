import pg from 'pg';

/** What became of one text. `lost`: the connection ended with it, or had to be ended because it never came back. */
export type Outcome =
  | { readonly kind: 'ran' }
  | { readonly kind: 'failed'; readonly sqlstate: string; readonly message: string }
  | { readonly kind: 'lost' };

export interface SessionOptions {
  readonly login: pg.ClientConfig;
  /** After this a text that has not been answered is ended, whatever it set statement_timeout to. */
  readonly deadlineMs: number;
  /** Ends a backend from outside. */
  readonly terminate: (pid: number) => Promise<void>;
}

/** One of our own queries did not get through. */
export class QueryFailed extends Error {
  readonly outcome: Exclude<Outcome, { kind: 'ran' }>;

  constructor(outcome: Exclude<Outcome, { kind: 'ran' }>) {
    super(outcome.kind === 'lost' ? 'the connection was lost' : outcome.message);
    this.name = 'QueryFailed';
    this.outcome = outcome;
  }
}

/** A connection that is opened when it is needed, again after it was lost, and drops the rows that it is sent. */
export class Session {
  readonly #options: SessionOptions;
  #client: pg.Client | undefined;
  #pid = 0;

  constructor(options: SessionOptions) {
    this.#options = options;
  }

  /** Its backend, which must have been opened. */
  get pid(): number {
    return this.#pid;
  }

  get isInTransaction(): boolean {
    const status = this.#client?.getTransactionStatus() ?? 'I';
    return status !== 'I';
  }

  async open(): Promise<void> {
    await this.#connected();
  }

  async run(text: string): Promise<Outcome> {
    const outcome = await this.#submit(text, undefined);
    return outcome;
  }

  /** For our own queries, whose rows we want; throws what they fail with. */
  async rows(text: string): Promise<readonly (readonly (string | null)[])[]> {
    const rows: (string | null)[][] = [];
    const outcome = await this.#submit(text, rows);
    if (outcome.kind === 'ran') return rows;
    throw new QueryFailed(outcome);
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  async #submit(text: string, rows: (string | null)[][] | undefined): Promise<Outcome> {
    // The protocol ends a text at NUL; a server would see only its beginning.
    if (text.includes('\0')) return { kind: 'failed', sqlstate: '08P01', message: 'NUL in a text' };
    const client = await this.#connected();
    const late = setTimeout(() => {
      this.#options.terminate(this.#pid).catch(() => undefined);
    }, this.#options.deadlineMs);
    try {
      await answered(client, text, rows);
      return { kind: 'ran' };
    } catch (error) {
      if (error instanceof pg.DatabaseError && !isEnd(error)) {
        return { kind: 'failed', sqlstate: error.code ?? '', message: error.message };
      }
      await this.close();
      return { kind: 'lost' };
    } finally {
      clearTimeout(late);
    }
  }

  async #connected(): Promise<pg.Client> {
    if (this.#client !== undefined) return this.#client;
    const client = new pg.Client(this.#options.login);
    // Reported by the text that is running, or by the next one.
    client.on('error', () => undefined);
    client.on('end', () => {
      if (this.#client === client) this.#client = undefined;
    });
    await client.connect();
    const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
    this.#pid = rows[0]!.pid;
    this.#client = client;
    return client;
  }
}

/** FATAL and worse: the server closes the connection after it. */
function isEnd({ severity }: pg.DatabaseError): boolean {
  return severity === 'FATAL' || severity === 'PANIC';
}

const asSent = { getTypeParser: () => (value: string | null) => value };

/** Rows are not kept unless asked for; some of the corpus return millions of bytes. */
function answered(
  client: pg.Client,
  text: string,
  rows: (string | null)[][] | undefined,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const query = new pg.Query<(string | null)[]>({
      text,
      rowMode: 'array',
      types: asSent,
    } as pg.QueryArrayConfig);
    query.on('row', (row: (string | null)[]) => rows?.push(row));
    query.on('end', () => resolve());
    query.on('error', reject);
    client.query(query);
  });
}
