import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { UpstreamConnection } from '../engine/upstream.ts';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { mayChange } from '../policy/authority.ts';
import type { Principal, SecretId } from '../ports.ts';
import { errorResponse } from '../wire/backend-messages.ts';
import { BackendScanner } from '../wire/backend-scanner.ts';
import { isFatal } from '../wire/error-fields.ts';
import { FrontendFramer } from '../wire/framing.ts';
import { Backend, transactionStatus, type TransactionStatus } from '../wire/protocol.ts';
import { BatchDeadline } from './batch-deadline.ts';
import { ClientMessages, type Outlets } from './client-messages.ts';
import { reportedPath, unsafeParameter } from './engine-parameters.ts';
import type { LiveSession } from './live-sessions.ts';
import type { OwnAnswerParts } from './own-answers.ts';
import type { PipelineParts } from './pipeline.ts';
import { ResponseQueue } from './response-queue.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import { SessionLog } from './session-log.ts';
import { closeOf, destroyUnlessClosed, drained } from './sockets.ts';

/** How long either side is waited for when a session ends. */
const lingerMs = 5_000;
/** How long the end of a message that is under way is waited for. */
const partingMs = 100;

export interface SessionParts {
  readonly client: Socket;
  /** Bytes of the client that arrived with its password. */
  readonly early: Buffer;
  readonly upstream: UpstreamConnection;
  /** Ends the backend of `upstream`, whatever it is doing and whatever it has been sent. */
  readonly terminate: (processId: number) => Promise<void>;
  readonly principal: Principal;
  readonly searched: SearchedSchemas;
  /** What the engine's session began with. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  readonly pipeline: PipelineParts;
  readonly own: OwnAnswerParts;
  readonly messageBytes: number;
  readonly log: Logger;
  readonly meter: SessionMeter;
  /** Called once, when both sides are closed. */
  readonly onClosed: () => void;
}

/**
 * One authenticated client and its engine connection. The only place that writes to either socket.
 *
 * States:
 * - `relaying`: both sides open;
 * - `leaving`: the client said Terminate while the engine still works on what it was sent before; answers still go out;
 * - `parting`: the session was ended in the middle of a message; the engine's last bytes still go to the client;
 * - `ending`: everything is said; what the engine sends is dropped.
 * Whoever is not `relaying` takes no message any more. The session counts as closed when both sockets are, so that a
 * backend at work is never forgotten.
 *
 * A client's messages are taken strictly in order: while one of them waits (for a worker, for the control store, for the
 * engine to have answered all before it), the client is not read.
 */
export class Session implements LiveSession {
  private readonly parts: SessionParts;
  private readonly client: Socket;
  private readonly engine: Socket;
  private readonly framer: FrontendFramer;
  private readonly scanner: BackendScanner;
  private readonly log: SessionLog;
  private readonly owed = new ResponseQueue();
  private readonly messages: ClientMessages;
  private readonly batch: BatchDeadline;
  private readonly isClamped: boolean;
  private status: TransactionStatus = 'idle';
  private state: 'relaying' | 'leaving' | 'parting' | 'ending' = 'relaying';
  /** What a client is told in `parting`. */
  private lastWords: HatiError | undefined;
  /** A message is being dealt with and the ones behind it wait. */
  private busy = false;
  private engineSaidFatal = false;
  private readonly closed: Promise<void>;

  constructor(parts: SessionParts) {
    this.parts = parts;
    this.client = parts.client;
    this.engine = parts.upstream.socket;
    this.framer = new FrontendFramer(() => parts.messageBytes);
    this.scanner = new BackendScanner({
      onHeader: (type) => this.owed.onHeader(type),
      onMessage: (type, body) => this.onEngineMessage(type, body),
    });
    this.log = new SessionLog(parts.log, parts.meter);
    this.isClamped = !mayChange(parts.principal.authority);
    this.batch = new BatchDeadline(parts.settings, () => this.batchExpired());
    this.messages = new ClientMessages({
      outlets: this.outlets(),
      owed: this.owed,
      log: this.log,
      meter: parts.meter,
      principal: parts.principal,
      searched: parts.searched,
      pipeline: parts.pipeline,
      ownAnswers: parts.own,
      onText: (text) => this.batch.onText(text),
    });
    this.closed = Promise.all([closeOf(this.client), closeOf(this.engine)]).then(parts.onClosed);
  }

  get secretId(): SecretId | undefined {
    const { principal } = this.parts;
    return principal.kind === 'key' ? principal.secretId : undefined;
  }

  /** Begins to relay. Everything that greets the client has been written by then. */
  start(): void {
    const { client, engine } = this;
    client.on('data', (chunk: Buffer) => this.onClientData(chunk));
    client.on('end', () => this.clientGone());
    client.on('close', () => this.clientGone());
    engine.on('data', (chunk: Buffer) => this.onEngineData(chunk));
    engine.on('end', () => this.engineGone());
    engine.on('close', () => this.engineGone());
    if (this.parts.upstream.leftover.length > 0) this.onEngineData(this.parts.upstream.leftover);
    engine.resume();
    this.onClientData(this.parts.early);
    client.resume();
  }

  async cancel(): Promise<void> {
    if (this.owed.isEmpty) return;
    try {
      await this.parts.upstream.cancel();
    } catch (error) {
      this.parts.log.warn({ err: error }, 'a cancel request did not reach the engine');
    }
  }

  end(error: HatiError): Promise<void> {
    if (this.state === 'relaying') {
      if (this.scanner.atBoundary) {
        this.say(error);
        this.kill();
      } else {
        this.part(error);
      }
    } else if (this.state === 'leaving') {
      this.kill();
    }
    return this.closed;
  }

  // The client's side.

  private onClientData(chunk: Buffer): void {
    if (this.state !== 'relaying') return;
    this.parts.meter.totals.bytes.fromClients += chunk.length;
    this.framer.push(chunk);
    if (!this.busy) this.takeMessages();
  }

  private takeMessages(): void {
    this.engine.cork();
    try {
      for (;;) {
        if (this.state !== 'relaying') return;
        // A client that does not read its answers gets no more of them made.
        if (this.client.writableNeedDrain) {
          this.waitFor(drained(this.client));
          return;
        }
        const message = this.framer.next();
        if (message === undefined) break;
        this.parts.meter.received(message.type);
        const waiting = this.messages.take(message);
        if (waiting !== undefined) {
          this.waitFor(waiting);
          return;
        }
      }
    } catch (error) {
      this.fail(error);
    } finally {
      this.engine.uncork();
    }
    this.batch.watch(this.owed.isUnsynced);
    if (this.engine.writableNeedDrain && this.state === 'relaying') {
      this.client.pause();
      this.engine.once('drain', () => {
        if (!this.busy) this.client.resume();
      });
    }
  }

  private waitFor(waiting: Promise<void>): void {
    this.busy = true;
    this.client.pause();
    waiting.then(
      () => {
        this.busy = false;
        this.takeMessages();
        if (!this.busy && !this.engine.writableNeedDrain) this.client.resume();
      },
      (error: unknown) => this.fail(error),
    );
  }

  private outlets(): Outlets {
    const { bytes: counted } = this.parts.meter.totals;
    return {
      toEngine: (bytes) => {
        counted.toEngine += bytes.length;
        this.engine.write(bytes);
      },
      flushToEngine: () => this.engine.uncork(),
      toClient: (bytes) => {
        counted.toClients += bytes.length;
        this.client.write(bytes);
      },
      status: () => this.status,
      isOver: () => this.state !== 'relaying',
      goodbye: () => this.leave(),
    };
  }

  // The engine's side.

  private onEngineData(chunk: Buffer): void {
    const { bytes: counted } = this.parts.meter.totals;
    counted.fromEngine += chunk.length;
    let pieces: Buffer[];
    try {
      pieces = this.scanner.push(chunk);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.state === 'ending' || !this.client.writable) return;
    let flowing = true;
    for (const piece of pieces) {
      counted.toClients += piece.length;
      flowing = this.client.write(piece);
    }
    if (!flowing) {
      this.engine.pause();
      this.client.once('drain', () => this.engine.resume());
    }
  }

  private onEngineMessage(type: number, body: Buffer): Buffer | undefined {
    switch (type) {
      case Backend.ReadyForQuery:
        this.status = transactionStatus(body[0]);
        this.owed.onReady();
        this.parts.meter.ready(this.status, this.owed.isEmpty && !this.busy);
        if (this.status === 'idle') this.messages.endOfTransaction();
        return undefined;
      case Backend.ErrorResponse:
        if (isFatal(body)) {
          this.engineSaidFatal = true;
          return this.lastWords === undefined ? undefined : errorResponse(this.lastWords, 'FATAL');
        }
        return this.owed.onError();
      case Backend.ParameterStatus:
        this.checkParameter(body);
        return undefined;
      default:
        return undefined;
    }
  }

  /** What we read must be what the engine reads; if it can't be any more, the session can't go on. */
  private checkParameter(body: Buffer): void {
    const path = reportedPath(body);
    if (path !== undefined) this.parts.searched.addReported(path);
    const unsafe = unsafeParameter(body, this.isClamped);
    if (unsafe !== undefined) setImmediate(() => void this.end(unsafe));
  }

  private batchExpired(): void {
    if (this.state !== 'relaying' || !this.owed.isUnsynced) return;
    // It may still be at work, or its answers not read yet.
    if (this.owed.isEmpty && !this.busy && !this.client.writableNeedDrain)
      void this.end(new HatiError('idle_batch'));
    else this.batch.watch(true);
  }

  // The end.

  private clientGone(): void {
    if (this.state === 'relaying' || this.state === 'parting') this.kill();
    // Nobody is there to read the rest, which the engine must not wait for.
    else this.engine.resume();
  }

  private engineGone(): void {
    if (this.state === 'relaying' && !this.engineSaidFatal) this.say(new HatiError('engine_lost'));
    if (this.state !== 'ending') this.close();
  }

  private fail(error: unknown): void {
    if (this.state !== 'relaying') return;
    void this.end(this.log.known(error));
  }

  /** Last words; between two messages only, because inside of one they would be read as data. */
  private say(error: HatiError): void {
    this.parts.meter.ended(error.code);
    if (this.client.writable && this.scanner.atBoundary) {
      this.client.write(errorResponse(error, 'FATAL'));
    }
  }

  /** The client said Terminate. What it sent before is the engine's to finish and to answer, as without us. */
  private leave(): void {
    if (this.owed.isEmpty) {
      this.close();
      return;
    }
    this.state = 'leaving';
    // Behind all that was sent before: the engine takes it in its turn. In the middle of a COPY it is what ends the COPY.
    this.parts.upstream.close();
  }

  /** Ends the backend and lets its own last bytes go to the client, up to the FATAL error that our words replace. */
  private part(error: HatiError): void {
    this.state = 'parting';
    this.parts.meter.ended(error.code);
    this.lastWords = error;
    this.endBackend();
    setTimeout(() => {
      if (this.state === 'parting') this.kill();
    }, partingMs).unref();
  }

  /** The session is over now, whatever the engine is doing. */
  private kill(): void {
    if (this.owed.isEmpty) {
      this.close();
      return;
    }
    if (this.state !== 'parting') this.endBackend();
    this.state = 'ending';
    this.owed.abandon();
    this.closeClient();
    this.engine.resume();
    destroyUnlessClosed(this.engine, lingerMs);
  }

  private endBackend(): void {
    const { upstream, terminate, log } = this.parts;
    if (upstream.processId === undefined) {
      this.engine.destroy();
      return;
    }
    terminate(upstream.processId).catch((error: unknown) => {
      log.warn({ err: error }, 'a backend could not be ended; its statement is cancelled');
      upstream
        .cancel()
        .catch(() => undefined)
        .finally(() => this.engine.destroy());
    });
  }

  /** Both sides in good order; the engine has nothing left to do. */
  private close(): void {
    this.state = 'ending';
    this.owed.abandon();
    this.parts.upstream.close();
    this.closeClient();
    destroyUnlessClosed(this.engine, lingerMs);
  }

  private closeClient(): void {
    this.client.end();
    // What the client still sends is not read any more.
    this.client.removeAllListeners('data');
    this.client.resume();
    destroyUnlessClosed(this.client, lingerMs);
  }
}
