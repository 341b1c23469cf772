import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import { inWordsOfClient } from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import type { EnginePool, LinkRequest, Partition } from '../engine/pool/pool.ts';
import { priorities, type Priority } from '../engine/pool/waiting-line.ts';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { mayChange } from '../policy/authority.ts';
import type { Principal, SecretId } from '../ports.ts';
import {
  backendMessage,
  errorResponse,
  notice,
  parameterStatus,
} from '../wire/backend-messages.ts';
import { BackendScanner } from '../wire/backend-scanner.ts';
import { errorField, isFatal } from '../wire/error-fields.ts';
import { FrontendFramer } from '../wire/framing.ts';
import { Backend, transactionStatus, type TransactionStatus } from '../wire/protocol.ts';
import { BatchDeadline } from './batch-deadline.ts';
import { ClientMessages } from './client-messages.ts';
import { EngineHold } from './engine-hold.ts';
import { reportedPath, unsafeParameter } from './engine-parameters.ts';
import type { LiveSession, SessionLook } from './live-sessions.ts';
import type { OwnAnswerParts } from './own-answers.ts';
import type { PipelineParts } from './pipeline.ts';
import { nothing, ResponseQueue } from './response-queue.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import { SessionClock, type Doing, type TimeLimits } from './session-clock.ts';
import { SessionLog } from './session-log.ts';
import type { SessionState } from './session-state.ts';
import { closeOf, destroyUnlessClosed, drained } from './sockets.ts';
import type { Outlets } from './turns.ts';

/** How long either side is waited for when a session ends. */
const lingerMs = 5_000;
/** Bytes that are copied to leave in one write. */
const largestGathered = 16 * 1024;
/** How long the end of a message that is under way is waited for. */
const partingMs = 100;

export interface SessionParts {
  readonly client: Socket;
  /** Bytes of the client that arrived with its password. */
  readonly early: Buffer;
  readonly pool: EnginePool;
  readonly partition: Partition;
  readonly state: SessionState;
  /** What the client was told of the engine's settings. */
  readonly reported: Map<string, string>;
  readonly refusesPins: boolean;
  /** Ends a backend, whatever it is doing and whatever it has been sent. */
  readonly terminate: (processId: number) => Promise<void>;
  readonly principal: Principal;
  readonly searched: SearchedSchemas;
  /** What the engine's session began with. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  readonly pipeline: PipelineParts;
  readonly own: OwnAnswerParts;
  readonly messageBytes: number;
  readonly timeLimits: TimeLimits;
  readonly log: Logger;
  readonly meter: SessionMeter;
  /** Called once, when both sides are closed. */
  readonly onClosed: () => void;
}

/**
 * One authenticated client, and the engine connection that it holds while it must. The only place that writes to either socket.
 *
 * States:
 * - `relaying`: both sides open;
 * - `leaving`: the client said Terminate while the engine still works on what it was sent before; answers still go out;
 * - `parting`: the session was ended in the middle of a message; the engine's last bytes still go to the client;
 * - `ending`: everything is said; what the engine sends is dropped.
 * Whoever is not `relaying` takes no message any more. The session counts as closed when the client's socket is, and that of
 * the engine connection it held at the end, so that a backend at work is never forgotten.
 *
 * A client's messages are taken strictly in order: while one of them waits (for a worker, for the control store, for an
 * engine connection, for the engine to have answered all before it), the client is not read.
 */
export class Session implements LiveSession {
  private readonly parts: SessionParts;
  private readonly client: Socket;
  private readonly framer: FrontendFramer;
  private readonly scanner: BackendScanner;
  private readonly log: SessionLog;
  private readonly owed = new ResponseQueue();
  private readonly hold: EngineHold;
  private readonly messages: ClientMessages;
  private readonly batch: BatchDeadline;
  private readonly clock: SessionClock;
  private readonly isClamped: boolean;
  private status: TransactionStatus = 'idle';
  private state: 'relaying' | 'leaving' | 'parting' | 'ending' = 'relaying';
  /** What a client is told in `parting`. */
  private lastWords: HatiError | undefined;
  /** A message is being dealt with and the ones behind it wait. */
  private busy = false;
  /** It shall not be sent to the engine any more. */
  private isCancelled = false;
  private engineSaidFatal = false;
  /** Messages are being taken, and what they send to the engine is gathered. */
  private gathering = false;
  private outgoing: Buffer[] = [];
  private outgoingBytes = 0;
  /** The engine's parameters that the client knows of. */
  private told: ReadonlyMap<string, string> | undefined;
  /** What the client is told once it is at rest. */
  private farewell: HatiError | undefined;
  /** Gives up waiting for an engine connection. */
  private stopWaiting: ((error: HatiError) => void) | undefined;
  private waitingSince: number | undefined;
  private readonly connectedAt = Date.now();
  /** Messages that were taken, and transactions that have ended. */
  private messagesTaken = 0;
  private transactionsOver = 0;
  /** What the client is told in place of the engine's words when the statement at work is found cancelled. */
  private cancelled: { readonly error: HatiError; readonly progress: number } | undefined;
  private readonly closed: Promise<void>;
  private engineClosed: Promise<void> = Promise.resolve();

  constructor(parts: SessionParts) {
    this.parts = parts;
    this.client = parts.client;
    this.framer = new FrontendFramer(() => parts.messageBytes);
    this.scanner = new BackendScanner({
      onHeader: (type) => void this.owed.onHeader(type),
      onMessage: (type, body) => this.onEngineMessage(type, body),
    });
    this.log = new SessionLog(parts.log, parts.meter);
    this.clock = new SessionClock(parts.timeLimits);
    this.isClamped = !mayChange(parts.principal.authority);
    this.batch = new BatchDeadline(parts.settings, () => this.batchExpired());
    this.hold = new EngineHold({
      pool: parts.pool,
      request: this.linkRequest(),
      state: parts.state,
      receiver: {
        onData: (chunk) => this.onEngineData(chunk),
        onGone: () => this.engineGone(),
      },
      refusesPins: parts.refusesPins,
      isWhole: () => this.scanner.isWhole,
      onDefined: () => parts.pipeline.definitions.changed(),
      onAttached: (link) => this.onAttached(link),
      onUnrestorable: (error) => this.fail(error),
    });
    this.messages = new ClientMessages({
      outlets: this.outlets(),
      owed: this.owed,
      hold: this.hold,
      state: parts.state,
      log: this.log,
      meter: parts.meter,
      principal: parts.principal,
      searched: parts.searched,
      pipeline: parts.pipeline,
      ownAnswers: parts.own,
      refusesPins: parts.refusesPins,
      onText: (text) => this.batch.onText(text),
    });
    this.closed = closeOf(this.client)
      .then(() => this.engineClosed)
      .then(parts.onClosed);
  }

  get secretId(): SecretId | undefined {
    const { principal } = this.parts;
    return principal.kind === 'key' ? principal.secretId : undefined;
  }

  look(): SessionLook {
    const { meter, state, own, reported, pool } = this.parts;
    return {
      actor: own.actor,
      pool,
      client: this.client,
      connectedAt: this.connectedAt,
      state: this.state === 'relaying' ? meter.state : 'ending',
      since: meter.since,
      waitingSince: this.waitingSince,
      link: this.hold.current,
      pins: state.pinned,
      preparedCount: this.messages.preparedCount,
      applicationName: reported.get('application_name'),
    };
  }

  /** Begins to relay. Everything that greets the client has been written by then. */
  start(): void {
    const { client } = this;
    client.on('data', (chunk: Buffer) => this.onClientData(chunk));
    client.on('end', () => this.clientGone());
    client.on('close', () => this.clientGone());
    this.onClientData(this.parts.early);
    client.resume();
  }

  async cancel(): Promise<void> {
    this.stopWaiting?.(new HatiError('query_canceled'));
    if (this.owed.isEmpty) {
      this.isCancelled = this.busy;
      return;
    }
    try {
      await this.hold.link?.cancel();
    } catch (error) {
      this.parts.log.warn({ err: error }, 'a cancel request did not reach the engine');
      // Who asked for it must not wait for an answer that may never come.
      this.fail(new HatiError('engine_lost'));
    }
  }

  end(error: HatiError): Promise<void> {
    // Its name is on connections that would wait for it in vain.
    if (error.code === 'invalid_api_key') this.parts.pool.closeIdle(this.parts.partition);
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

  endAtRest(error: HatiError): Promise<void> {
    this.farewell = error;
    this.leaveIfAsked();
    return this.closed;
  }

  checkTime(now: number): void {
    if (this.state !== 'relaying' && this.state !== 'leaving') return;
    const verdict = this.clock.look(this.doing(), now);
    if (verdict === undefined) return;
    const { act, error } = verdict;
    this.parts.log.info({ code: error.code, act }, 'a limit of time was reached');
    if (act === 'cancel' && this.state === 'relaying') {
      this.cancelled = { error, progress: this.owed.progress };
      void this.cancel();
    } else if (act === 'endAtRest') void this.endAtRest(error);
    else void this.end(error);
  }

  private doing(): Doing {
    const { owed, status, messagesTaken } = this;
    const isOpen = status !== 'idle' || owed.isUnsynced;
    return {
      phase: this.phase(isOpen),
      progress: owed.isEmpty ? messagesTaken : owed.progress,
      transaction: isOpen || !owed.isEmpty ? this.transactionsOver : undefined,
    };
  }

  private phase(isOpen: boolean): Doing['phase'] {
    if (this.stopWaiting !== undefined) return 'waiting';
    if (!this.owed.isEmpty) return 'atWork';
    // A client that does not read keeps us busy by itself.
    if (this.busy && !this.client.writableNeedDrain) return 'waiting';
    return isOpen ? 'idleInTransaction' : 'idle';
  }

  /** @returns whether the session was waiting for this moment to end. */
  private leaveIfAsked(): boolean {
    if (this.farewell === undefined || !this.isAtRest || this.busy) return false;
    void this.end(this.farewell);
    return true;
  }

  // The client's side.

  private onClientData(chunk: Buffer): void {
    if (this.state !== 'relaying') return;
    this.parts.meter.totals.bytes.fromClients += chunk.length;
    this.framer.push(chunk);
    if (!this.busy) this.takeMessages();
  }

  private takeMessages(): void {
    this.gathering = true;
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
        this.messagesTaken += 1;
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
      this.gathering = false;
      this.flush();
    }
    this.batch.watch(this.owed.isUnsynced);
    const engine = this.hold.link?.upstream.socket;
    if (engine?.writableNeedDrain === true && this.state === 'relaying') {
      this.client.pause();
      engine.once('drain', () => {
        if (!this.busy) this.client.resume();
      });
    }
  }

  /** Small messages to the engine leave together: a write costs more than all that is done for them here. */
  private toEngine(bytes: Buffer): void {
    this.parts.meter.totals.bytes.toEngine += bytes.length;
    if (bytes.length > largestGathered) {
      this.flush();
      this.hold.link?.upstream.socket.write(bytes);
      return;
    }
    this.outgoing.push(bytes);
    this.outgoingBytes += bytes.length;
    if (this.outgoingBytes > largestGathered) this.flush();
    else if (!this.gathering && this.outgoing.length === 1) process.nextTick(() => this.flush());
  }

  private flush(): void {
    const { outgoing } = this;
    const [first] = outgoing;
    if (first === undefined) return;
    this.outgoing = [];
    this.outgoingBytes = 0;
    this.hold.current?.upstream.socket.write(
      outgoing.length === 1 ? first : Buffer.concat(outgoing),
    );
  }

  private waitFor(waiting: Promise<void>): void {
    this.busy = true;
    this.client.pause();
    waiting.then(
      () => {
        this.busy = false;
        this.isCancelled = false;
        this.takeMessages();
        this.rest();
        if (!this.busy && this.hold.link?.upstream.socket.writableNeedDrain !== true)
          this.client.resume();
      },
      (error: unknown) => this.fail(error),
    );
  }

  private outlets(): Outlets {
    const { bytes: counted } = this.parts.meter.totals;
    return {
      toEngine: (bytes) => this.toEngine(bytes),
      flushToEngine: () => this.flush(),
      toClient: (bytes) => {
        counted.toClients += bytes.length;
        this.client.write(bytes);
      },
      status: () => this.status,
      isOver: () => this.state !== 'relaying',
      isCancelled: () => this.isCancelled,
      goodbye: () => this.leave(),
    };
  }

  // The engine's side.

  private linkRequest(): LinkRequest {
    const { partition, principal, own } = this.parts;
    return {
      partition,
      holder: this,
      group: principal.kind === 'key' ? principal.keyId : principal.kind,
      priority: () => priorityOf(own.parameters.get('hatidata_priority')),
      isOver: () => this.state !== 'relaying',
      onQueued: (stop) => {
        this.stopWaiting = stop;
        this.waitingSince = stop && performance.now();
      },
      onWaiting: ({ size, waiting }) => {
        const text = `waiting for an engine connection: all ${size} are in use, and ${waiting} sessions wait`;
        if (this.client.writable) this.client.write(notice(text));
      },
    };
  }

  private onAttached(link: EngineLink): void {
    const { reported } = this.parts;
    if (link.parameters === this.told) return;
    this.told = link.parameters;
    for (const [name, value] of link.parameters) {
      if (reported.get(name) === value) continue;
      reported.set(name, value);
      if (name !== 'application_name') this.client.write(parameterStatus(name, value));
    }
  }

  private onEngineData(chunk: Buffer): void {
    const { bytes: counted } = this.parts.meter.totals;
    counted.fromEngine += chunk.length;
    let pieces: Buffer[];
    try {
      this.scanner.isThorough = this.owed.isThorough;
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
      this.hold.current?.upstream.socket.pause();
      this.client.once('drain', () => this.hold.current?.upstream.socket.resume());
    }
    this.rest();
  }

  /** A message that is being dealt with may still need the connection. */
  private rest(): void {
    if (this.busy || !this.isAtRest) return;
    if (!this.leaveIfAsked()) this.hold.atRest();
  }

  /** The engine owes nothing, and no transaction is open. */
  private get isAtRest(): boolean {
    return (
      this.owed.isEmpty &&
      this.status === 'idle' &&
      !this.owed.isUnsynced &&
      !this.owed.isSkipping &&
      // The rest of a message that nobody asked for would come to whoever is next.
      this.scanner.isWhole &&
      this.state === 'relaying'
    );
  }

  private onEngineMessage(type: number, body: Buffer): Buffer | undefined {
    switch (type) {
      case Backend.ReadyForQuery: {
        this.status = transactionStatus(body[0]);
        if (this.status === 'idle') this.transactionsOver += 1;
        const shown = this.owed.onReady();
        // One that is kept from the client ends nothing of his.
        if (shown === undefined)
          this.parts.meter.ready(this.status, this.owed.isEmpty && !this.busy);
        if (this.status === 'idle') this.messages.endOfTransaction();
        return shown;
      }
      case Backend.ErrorResponse:
        if (isFatal(body)) {
          // Nothing of the client's is on it: another one takes its place.
          if (this.isAtRest && this.parts.state.pinned.size === 0) return nothing;
          this.engineSaidFatal = true;
          return this.lastWords === undefined ? undefined : errorResponse(this.lastWords, 'FATAL');
        }
        return this.onEngineError(body);
      case Backend.ParameterStatus:
        this.checkParameter(body);
        return undefined;
      default:
        return this.owed.onHeader(type, body);
    }
  }

  /** The engine does not know why it was asked to cancel. */
  private reasonOfCancel(body: Buffer): Buffer | undefined {
    const { cancelled } = this;
    if (cancelled === undefined || errorField(body, 'C') !== cancelled.error.sqlstate)
      return undefined;
    this.cancelled = undefined;
    if (cancelled.progress !== this.owed.progress) return undefined;
    this.log.refused(cancelled.error);
    return errorResponse(cancelled.error);
  }

  private onEngineError(body: Buffer): Buffer | undefined {
    // The engine has it no more as we think that it has it.
    if (isStale(body)) {
      this.hold.current?.statements.doubt();
      if (errorField(body, 'C') === '0A000') this.parts.pipeline.definitions.noticed();
    }
    const ours = this.reasonOfCancel(body);
    const shown = this.owed.onError();
    this.messages.engineFailed(body);
    if (shown !== undefined || ours !== undefined) return shown ?? ours;
    const theirs = inWordsOfClient(body, (name) => this.messages.nameOf(name));
    return theirs === body ? undefined : backendMessage(Backend.ErrorResponse, theirs);
  }

  /** What we read must be what the engine reads; if it can't be any more, the session can't go on. */
  private checkParameter(body: Buffer): void {
    const { searched, reported } = this.parts;
    this.hold.current?.noteParameter(body);
    this.told = this.hold.current?.parameters;
    const [name = '', value = ''] = body.toString('utf8').split('\0');
    reported.set(name, value);
    const path = reportedPath(body);
    if (path !== undefined) searched.addReported(path);
    const unsafe = unsafeParameter(body, this.isClamped);
    if (unsafe === undefined) return;
    if (this.hold.current !== undefined) this.hold.current.isRetired = true;
    setImmediate(() => void this.end(unsafe));
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
    else {
      // Nobody is there to read the rest, which the engine must not wait for.
      const engine = this.hold.current?.upstream.socket;
      engine?.resume();
      engine?.end();
    }
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
    const { current: link } = this.hold;
    if (this.owed.isEmpty || link === undefined) {
      this.close();
      return;
    }
    this.state = 'leaving';
    this.flush();
    // Behind all that was sent before: the engine takes it in its turn. In the middle of a COPY it is what ends the COPY.
    link.leave();
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
    const { current: link } = this.hold;
    if (this.owed.isEmpty || link === undefined) {
      this.close();
      return;
    }
    if (this.state !== 'parting') this.endBackend();
    this.finish();
    link.upstream.socket.resume();
    destroyUnlessClosed(link.upstream.socket, lingerMs);
  }

  private endBackend(): void {
    const { terminate, log } = this.parts;
    const { current: link } = this.hold;
    if (link === undefined) return;
    const { upstream } = link;
    link.isRetired = true;
    if (upstream.processId === undefined) {
      upstream.socket.destroy();
      return;
    }
    terminate(upstream.processId).catch((error: unknown) => {
      log.warn({ err: error }, 'a backend could not be ended; its statement is cancelled');
      upstream
        .cancel()
        .catch(() => undefined)
        .finally(() => upstream.socket.destroy());
    });
  }

  /** Both sides in good order; the engine has nothing left to do, or is told that nobody waits for it. */
  private close(): void {
    const { current: link } = this.hold;
    link?.close();
    this.finish();
    if (link !== undefined) destroyUnlessClosed(link.upstream.socket, lingerMs);
  }

  private finish(): void {
    const { current: link } = this.hold;
    this.state = 'ending';
    this.stopWaiting?.(new HatiError('shutting_down'));
    this.owed.abandon();
    if (link !== undefined) this.engineClosed = closeOf(link.upstream.socket);
    this.client.end();
    // What the client still sends is not read any more.
    this.client.removeAllListeners('data');
    this.client.resume();
    destroyUnlessClosed(this.client, lingerMs);
  }
}

/** `cached plan must not change result type`, and a prepared statement that is not there. */
function isStale(error: Buffer): boolean {
  const state = errorField(error, 'C');
  return (
    state === '26000' || (state === '0A000' && errorField(error, 'R') === 'RevalidateCachedQuery')
  );
}

function priorityOf(wanted: string | undefined): Priority {
  return priorities.find((each) => each === wanted) ?? 'normal';
}
