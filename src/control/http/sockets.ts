import { createServer as createHttp, type RequestListener, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { startListening } from '../../shared/listen-on.ts';

/** PEM. */
export interface HttpsCertificate {
  readonly cert: string;
  readonly key: string;
}

const requestMs = 30_000;

const options = {
  requestTimeout: requestMs,
  headersTimeout: requestMs,
  keepAliveTimeout: 5_000,
} as const;

/** The listeners of a server: with TLS where the proxy has it, since passwords and keys travel here as well. */
export class HttpSockets {
  private readonly handler: RequestListener;
  private readonly certificate: HttpsCertificate | undefined;
  private readonly servers: Server[] = [];

  constructor(handler: RequestListener, certificate: HttpsCertificate | undefined) {
    this.handler = handler;
    this.certificate = certificate;
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
