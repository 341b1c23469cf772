import type { Socket } from 'node:net';
import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { errorResponse } from '../wire/backend-messages.ts';
import type { EngineHold } from './engine-hold.ts';
import type { EngineReader } from './engine-reader.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { SessionLog } from './session-log.ts';
import { closeOf, destroyUnlessClosed } from './sockets.ts';

/** How long either side is waited for when a session ends. */
const lingerMs = 5_000;
/** How long the end of a message that is under way is waited for. */
const partingMs = 100;

export interface SessionEndParts {
  readonly client: Socket;
  readonly hold: EngineHold;
  readonly owed: ResponseQueue;
  readonly engine: EngineReader;
  readonly meter: SessionMeter;
  readonly log: Pick<SessionLog, 'lines'>;
  readonly terminator: Terminator;
  readonly writer: {
    /** Sends to the engine what still waits for more. */
    send(): void;
  };
  readonly lane: { seize(): EngineLink | undefined } | undefined;
  /** Nothing is waited for any more. */
  onFinish(): void;
  /** Called once, when both sides are closed. */
  onClosed(): void;
}

/** Ends a backend, whatever it is doing and whatever it has been sent. */
export interface Terminator {
  terminate(processId: number): Promise<void>;
}

/**
 * How a session ends. States:
 * - `relaying`: it goes on, both sides open;
 * - `leaving`: the client said Terminate while the engine still works on what it was sent before; answers still go out;
 * - `parting`: the session was ended in the middle of a message; the engine's last bytes still go to the client;
 * - `ending`: everything is said; what the engine sends is dropped.
 * Whoever is not `relaying` takes no message any more. The session counts as closed when the client's socket is, and that of
 * the engine connection it held at the end, so that a backend at work is never forgotten.
 */
export class SessionEnd {
  private readonly parts: SessionEndParts;
  private state: 'relaying' | 'leaving' | 'parting' | 'ending' = 'relaying';
  /** What a client is told in `parting`. */
  private lastWords: HatiError | undefined;
  private engineSaidFatal = false;
  private engineClosed: Promise<void> | undefined;
  private isClosed = false;
  /** Of whoever waits for that. */
  private whenClosed: PromiseWithResolvers<void> | undefined;

  constructor(parts: SessionEndParts) {
    this.parts = parts;
  }

  /** Resolves when both sides are closed. */
  get closed(): Promise<void> {
    if (this.isClosed) return Promise.resolve();
    this.whenClosed ??= Promise.withResolvers();
    return this.whenClosed.promise;
  }

  get isRelaying(): boolean {
    return this.state === 'relaying';
  }

  get isLeaving(): boolean {
    return this.state === 'leaving';
  }

  /** Everything is said. */
  get isOver(): boolean {
    return this.state === 'ending';
  }

  /** Tells the client why, and ends the session. */
  end(error: HatiError): void {
    if (this.state === 'relaying') {
      if (this.parts.engine.atBoundary) {
        this.say(error);
        this.kill();
      } else {
        this.part(error);
      }
    } else if (this.state === 'leaving') {
      this.kill();
    }
  }

  /** The client said Terminate. What it sent before is the engine's to finish and to answer, as without us. */
  leave(): void {
    const { hold, owed, writer } = this.parts;
    const { current: link } = hold;
    if (owed.isEmpty || link === undefined) {
      this.close();
      return;
    }
    this.state = 'leaving';
    writer.send();
    // Behind all that was sent before: the engine takes it in its turn. In the middle of a COPY it is what ends the COPY.
    link.leave();
  }

  clientGone(): void {
    if (this.state === 'relaying' || this.state === 'parting') this.kill();
    else {
      // Nobody is there to read the rest, which the engine must not wait for.
      const socket = this.parts.hold.current?.upstream.socket;
      socket?.resume();
      socket?.end();
    }
  }

  clientClosed(): void {
    this.clientGone();
    void Promise.resolve(this.engineClosed).then(() => {
      this.isClosed = true;
      this.parts.onClosed();
      this.whenClosed?.resolve();
    });
  }

  engineGone(): void {
    if (this.state === 'relaying' && !this.engineSaidFatal) this.say(new HatiError('engine_lost'));
    if (this.state !== 'ending') this.close();
  }

  /** The engine ends the session. @returns what is said in place of its words, if anything. */
  onFatal(): Buffer | undefined {
    this.engineSaidFatal = true;
    return this.lastWords === undefined ? undefined : errorResponse(this.lastWords, 'FATAL');
  }

  /** Last words; between two messages only, because inside of one they would be read as data. */
  private say(error: HatiError): void {
    const { client, engine, meter } = this.parts;
    meter.ended(error.code);
    if (client.writable && engine.atBoundary) client.write(errorResponse(error, 'FATAL'));
  }

  /** Ends the backend and lets its own last bytes go to the client, up to the FATAL error that our words replace. */
  private part(error: HatiError): void {
    this.state = 'parting';
    this.parts.meter.ended(error.code);
    this.lastWords = error;
    const { hold, lane } = this.parts;
    this.endBackend(hold.current ?? lane?.seize());
    setTimeout(() => {
      if (this.state === 'parting') this.kill();
    }, partingMs).unref();
  }

  /** The session is over now, whatever the engine is doing. */
  private kill(): void {
    const { hold, owed } = this.parts;
    const { current: link } = hold;
    if (owed.isEmpty || link === undefined) {
      this.close();
      return;
    }
    if (this.state !== 'parting') this.endBackend(link);
    this.finish();
    link.upstream.socket.resume();
    destroyUnlessClosed(link.upstream.socket, lingerMs);
  }

  private endBackend(link: EngineLink | undefined): void {
    const { terminator, log } = this.parts;
    if (link === undefined) return;
    const { upstream } = link;
    link.isRetired = true;
    if (upstream.processId === undefined) {
      upstream.socket.destroy();
      return;
    }
    terminator.terminate(upstream.processId).catch((error: unknown) => {
      log.lines.warn({ err: error }, 'a backend could not be ended; its statement is cancelled');
      upstream
        .cancel()
        .catch(() => undefined)
        .finally(() => upstream.socket.destroy());
    });
  }

  /** Both sides in good order; the engine has nothing left to do, or is told that nobody waits for it. */
  private close(): void {
    const { current: link } = this.parts.hold;
    link?.close();
    this.finish();
    if (link !== undefined) destroyUnlessClosed(link.upstream.socket, lingerMs);
  }

  private finish(): void {
    const { client, hold, owed } = this.parts;
    const { current: link } = hold;
    this.state = 'ending';
    this.parts.onFinish();
    owed.abandon();
    if (link !== undefined) this.engineClosed = closeOf(link.upstream.socket);
    client.end();
    // What the client still sends is not read any more.
    client.removeAllListeners('data');
    client.resume();
    destroyUnlessClosed(client, lingerMs);
  }
}
