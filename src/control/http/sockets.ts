import { createServer as createHttp, type RequestListener, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Clock } from '../../shared/clock.ts';
import { startListening } from '../../shared/listen-on.ts';
import { answerMalformed, type ParseFault } from './malformed.ts';

/** PEM. */
export interface HttpsCertificate {
  readonly cert: string;
  readonly key: string;
}

const requestSeconds = 30;

const options = {
  requestTimeout: requestSeconds * 1_000,
  headersTimeout: requestSeconds * 1_000,
  keepAliveTimeout: 5_000,
  // Node's own refusal has no envelope; `refuseWithoutHost` is in its place.
  requireHostHeader: false,
} as const;

/** The listeners of a server: with TLS where the proxy has it, since passwords and keys travel here as well. */
export class HttpSockets {
  private readonly handler: RequestListener;
  private readonly certificate: HttpsCertificate | undefined;
  private readonly clock: Clock;
  private readonly servers: Server[] = [];

  constructor(handler: RequestListener, certificate: HttpsCertificate | undefined, clock: Clock) {
    this.handler = handler;
    this.certificate = certificate;
    this.clock = clock;
  }

  /** @param socket bound to its address, or where to listen. Rejects with the system's error (EADDRINUSE …). */
  async listen(socket: object): Promise<AddressInfo> {
    const { certificate } = this;
    const server =
      certificate === undefined
        ? createHttp(options, this.handler)
        : createHttps(
            {
              ...options,
              cert: certificate.cert,
              key: certificate.key,
              minVersion: 'TLSv1.2',
            },
            this.handler,
          );
    server.on('clientError', (error: ParseFault, connection) =>
      answerMalformed(connection, error, { seconds: requestSeconds, now: this.clock() }),
    );
    const address = await startListening(server, socket);
    this.servers.push(server);
    return address;
  }

  /** Requests that are under way are answered. */
  async close(): Promise<void> {
    await Promise.all(
      this.servers.map(async (server) => {
        const closed = new Promise<void>((resolve) => server.close(() => resolve()));
        server.closeIdleConnections();
        await closed;
      }),
    );
  }
}
