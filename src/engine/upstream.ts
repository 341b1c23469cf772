/**
 * Opens connections to an engine.
 *
 * `pg` performs the handshake (TLS, SCRAM with channel binding, .pgpass, unix sockets). At the first ReadyForQuery the
 * socket is taken from it, so that the proxy can relay bytes.
 */
import { connect as connectSocket, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import pg from 'pg';
import { HatiError } from '../errors.ts';
import { BackendScanner } from '../wire/backend-scanner.ts';
import { cancelRequest, sslRequest, terminate } from '../wire/frontend-messages.ts';
import { Backend } from '../wire/protocol.ts';
import { formatStartupOption } from '../wire/startup-options.ts';

export interface UpstreamSession {
  /** At most 63 bytes are kept by PostgreSQL. */
  readonly applicationName: string;
  /** Settings that hold for the session and to which RESET and DISCARD return. */
  readonly settings: readonly (readonly [name: string, value: string])[];
}

export interface UpstreamConnection {
  /** Paused, without listeners; owned by the caller from now on. */
  readonly socket: Socket;
  /** The backend's, for pg_terminate_backend; undefined for engines that have none. */
  readonly processId: number | undefined;
  /** What the engine reported during the handshake, in order. */
  readonly parameters: ReadonlyMap<string, string>;
  /** Bytes that arrived behind the first ReadyForQuery. */
  readonly leftover: Buffer;
  /** Asks the engine to cancel what this connection runs. Resolves when the request was delivered. */
  cancel(): Promise<void>;
  /** Ends the connection in good order; bytes that are on their way out are still sent. */
  close(): void;
}

/** The parts of pg's Client that its types leave out; `connection` is what carries the socket. */
interface Internals {
  readonly connection: {
    readonly stream: Socket;
    once(event: 'connect' | 'sslconnect', listener: () => void): void;
  };
  readonly processID: number | null;
  readonly secretKey: number | null;
  readonly ssl: unknown;
}

const connectTimeoutMs = 10_000;
/** A network that went silent is noticed by the operating system ten seconds after this: it asks once a second then. */
const keepAliveMs = 30_000;
const cancelTimeoutMs = 5_000;

/** Throws `engine_unreachable`. */
export async function openUpstream(
  config: pg.ClientConfig,
  session: UpstreamSession,
): Promise<UpstreamConnection> {
  const client = new pg.Client({
    ...config,
    application_name: session.applicationName,
    options: session.settings.map(([name, value]) => formatStartupOption(name, value)).join(' '),
    enableChannelBinding: true,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
  });
  const internals = client as unknown as Internals;
  // Errors after the take-over reach the relay through the socket's own events.
  client.on('error', () => undefined);
  const handover = new Handover();
  const event = internals.ssl === false ? 'connect' : 'sslconnect';
  internals.connection.once(event, () => handover.watch(internals.connection.stream));
  try {
    await client.connect();
  } catch (error) {
    internals.connection.stream.destroy();
    const code =
      error instanceof pg.DatabaseError && isAboutSettings(error)
        ? 'startup_value_refused'
        : error instanceof pg.DatabaseError && error.code === '53300'
          ? 'engine_full'
          : 'engine_unreachable';
    throw new HatiError(code, { params: { reason: reasonOf(error) }, cause: error });
  }
  const { socket, parameters, leftover } = handover.finish();
  return {
    socket,
    processId: internals.processID ?? undefined,
    parameters,
    leftover,
    cancel: () => sendCancel(client, internals),
    close: () => {
      if (socket.writable) socket.end(terminate);
      else socket.destroy();
      // Nobody reads any more; without this a full receive buffer would keep the socket half open.
      socket.resume();
    },
  };
}

/** Reads along during the handshake, to know exactly which bytes follow the first ReadyForQuery. */
class Handover {
  private readonly parameters = new Map<string, string>();
  private socket: Socket | undefined;
  private leftover: Buffer | undefined;

  watch(socket: Socket): void {
    this.socket = socket;
    const readyMark = Buffer.of(0);
    const scanner = new BackendScanner({
      onHeader: () => undefined,
      onMessage: (type, body) => {
        if (type === Backend.ParameterStatus) this.noteParameter(body);
        return type === Backend.ReadyForQuery ? readyMark : undefined;
      },
    });
    const onData = (chunk: Buffer): void => {
      // pg's parser has seen it before, and may use its memory again for what comes next.
      const pieces = scanner.push(Buffer.from(chunk));
      const at = pieces.indexOf(readyMark);
      if (at < 0) return;
      socket.pause();
      socket.removeAllListeners('data');
      this.leftover = Buffer.concat([...pieces.slice(at + 1), scanner.takeHeld()]);
    };
    socket.on('data', onData);
  }

  finish(): { socket: Socket; parameters: ReadonlyMap<string, string>; leftover: Buffer } {
    if (this.socket === undefined || this.leftover === undefined) {
      throw new HatiError('engine_unreachable', {
        params: { reason: 'the handshake was not completed' },
      });
    }
    const { socket } = this;
    socket.setNoDelay(true);
    socket.setTimeout(0);
    for (const event of ['end', 'close', 'error']) socket.removeAllListeners(event);
    // An error is always followed by 'close', which is what users of the socket listen for.
    socket.on('error', () => undefined);
    return { socket, parameters: this.parameters, leftover: this.leftover };
  }

  private noteParameter(body: Buffer): void {
    const [name, value] = body.toString('utf8').split('\0');
    if (name !== undefined && value !== undefined) this.parameters.set(name, value);
  }
}

function sendCancel(client: pg.Client, internals: Internals): Promise<void> {
  const { processID, secretKey } = internals;
  if (processID === null || secretKey === null) return Promise.resolve();
  const secret = Buffer.allocUnsafe(4);
  secret.writeInt32BE(secretKey);
  const packet = cancelRequest(processID, secret);
  const socket = client.host.startsWith('/')
    ? connectSocket(`${client.host}/.s.PGSQL.${client.port}`)
    : connectSocket(client.port, client.host);
  return new Promise((resolve, reject) => {
    socket.setTimeout(cancelTimeoutMs, () =>
      socket.destroy(new Error('the engine did not take the cancel request')),
    );
    socket.once('error', reject);
    // The server closes the connection once it has signalled the backend.
    socket.once('close', () => resolve());
    if (internals.ssl === false) {
      socket.end(packet);
      socket.resume();
      return;
    }
    socket.write(sslRequest);
    socket.once('data', () => {
      const options: ConnectionOptions = {
        ...(typeof internals.ssl === 'object' ? internals.ssl : {}),
        socket,
        host: client.host,
      };
      const secure = connectTls(options, () => secure.end(packet));
      secure.once('error', reject);
      secure.resume();
    });
  });
}

/** invalid_parameter_value, undefined_object, cant_change_runtime_param: what a client's startup settings may cause. */
function isAboutSettings({ code }: pg.DatabaseError): boolean {
  return code === '22023' || code === '42704' || code === '55P02';
}

/** One clause for the client. The engine's own words are kept: they name its roles and hosts, which are the operator's. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0]);
  return error instanceof Error ? error.message : 'unknown';
}
