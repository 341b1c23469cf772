import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startListening } from '../shared/listen-on.ts';
import type { Logger } from '../shared/log.ts';
import type { Metrics } from './metrics.ts';
import type { NotReady, Readiness } from './readiness.ts';

/**
 * The numbers and the state of the proxy over HTTP: /metrics, /health, /ready. It asks nobody who they are, so nothing
 * that it says is a secret, and nobody can hold it: a connection is closed after a few seconds of silence, or when its
 * request is not there in time, and at once when the proxy ends.
 */

const timeoutMs = 5_000;

const options = {
  maxHeaderSize: 8 * 1024,
  headersTimeout: timeoutMs,
  requestTimeout: timeoutMs,
  keepAliveTimeout: timeoutMs,
  connectionsCheckingInterval: 500,
} as const;

const mostConnections = 100;

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

export interface HttpParts {
  readonly metrics: Pick<Metrics, 'contentType' | 'text'>;
  readonly readiness: Pick<Readiness, 'missing'>;
  /** What does not live that should; without it, whoever answers lives. */
  readonly dead?: () => Promise<readonly NotReady[]>;
  readonly log: Logger;
}

export class MetricsServer {
  private readonly routes: ReadonlyMap<string, () => Promise<Answer>>;
  private readonly log: Logger;
  private readonly servers: Server[] = [];

  constructor({ metrics, readiness, dead, log }: HttpParts) {
    this.log = log;
    this.routes = new Map<string, () => Promise<Answer>>([
      [
        '/metrics',
        async () => ({ status: 200, type: metrics.contentType, body: await metrics.text() }),
      ],
      ['/health', async () => healthAnswer((await dead?.()) ?? [])],
      ['/ready', async () => readinessAnswer(await readiness.missing())],
    ]);
  }

  /** @param port 0 for any free port. Rejects with the system's error (EADDRINUSE …). */
  async listen(host: string, port: number): Promise<AddressInfo> {
    const server = createServer(
      options,
      (request, response) => void this.answer(request, response),
    );
    server.maxConnections = mostConnections;
    // Silence in either direction, so that a client which does not read its answer goes as well.
    server.setTimeout(timeoutMs);
    // Node answers what is not HTTP, and what comes too late, by itself.
    const address = await startListening(server, { host, port });
    this.servers.push(server);
    return address;
  }

  /** Waits for nobody: whoever is asking sees the connection end. */
  async close(): Promise<void> {
    await Promise.all(
      this.servers.map(async (server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeAllConnections();
        await closed;
      }),
    );
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: Answer;
    try {
      answer = await this.route(request, response);
    } catch (error) {
      this.log.error({ err: error }, 'a request for metrics failed');
      answer = json(500, { error: 'internal error; see the log' });
    }
    response.writeHead(answer.status, {
      'content-type': answer.type,
      'content-length': Buffer.byteLength(answer.body),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      // A body that we have not asked for is not read to its end.
      ...(request.complete ? {} : { connection: 'close' }),
    });
    response.end(request.method === 'HEAD' ? undefined : answer.body);
  }

  private route(request: IncomingMessage, response: ServerResponse): Promise<Answer> | Answer {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const found = this.routes.get(path);
    if (found === undefined) {
      return json(404, { error: 'not found', paths: [...this.routes.keys()] });
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD');
      return json(405, { error: 'only GET and HEAD' });
    }
    return found();
  }
}

function readinessAnswer(missing: Awaited<ReturnType<Readiness['missing']>>): Answer {
  return missing.length === 0
    ? json(200, { ready: true, missing })
    : json(503, { ready: false, missing });
}

function healthAnswer(missing: readonly NotReady[]): Answer {
  return missing.length === 0
    ? json(200, { status: 'ok' })
    : json(503, { status: 'failing', missing });
}

function json(status: number, value: unknown): Answer {
  return { status, type: 'application/json; charset=utf-8', body: `${JSON.stringify(value)}\n` };
}
