import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { UpstreamConnection } from '../engine/upstream.ts';
import { HatiError } from '../errors.ts';
import type { Principal, SecretId } from '../ports.ts';
import { errorResponse, readyForQuery } from '../wire/backend-messages.ts';
import { BackendScanner } from '../wire/backend-scanner.ts';
import {
  decodeBindNames,
  decodeExecute,
  decodeObjectName,
  decodeParse,
  decodeQuery,
} from '../wire/decode.ts';
import { EngineError } from '../wire/engine-error.ts';
import { isFatal } from '../wire/error-fields.ts';
import { FrontendFramer, type FrontendMessage } from '../wire/framing.ts';
import { flush, parse, query, refusedByHatiData, sync } from '../wire/frontend-messages.ts';
import { Backend, Frontend, transactionStatus, type TransactionStatus } from '../wire/protocol.ts';
import type { LiveSession } from './live-sessions.ts';
import { answerSimple } from './own-answers.ts';
import type { OwnAnswerParts } from './own-answers.ts';
import { OwnObjects } from './own-objects.ts';
import { decide, type Decision, type PipelineParts } from './pipeline.ts';
import { ResponseQueue } from './response-queue.ts';

/** How long a client that does not read is waited for when its session ends. */
const lingerMs = 5_000;

export interface SessionParts {
  readonly client: Socket;
  /** Bytes of the client that arrived with its password. */
  readonly early: Buffer;
  readonly upstream: UpstreamConnection;
  readonly principal: Principal;
  readonly pipeline: PipelineParts;
  readonly own: OwnAnswerParts;
  readonly messageBytes: number;
  readonly log: Logger;
  /** Called once, when both sides are closed. */
  readonly onClosed: () => void;
}

/**
 * One authenticated client and its engine connection. The only place that writes to either socket.
 *
 * States: `relaying` (both sides open) → `ending` (the last words are on their way) → closed. A client's messages are
 * taken strictly in order: while one of them waits (for a worker, for the control store, for the engine to have
 * answered all before it), the client is not read.
 *
 * A message that we refuse is replaced by one that the engine is sure to refuse, and the engine's error by ours
 * (`refusedByHatiData`): so the order of answers, the abort of the transaction and the skip to Sync are PostgreSQL's
 * own. Outside of a transaction, with nothing in flight, we answer at once and the engine hears nothing.
 */
export class Session implements LiveSession {
  private readonly parts: SessionParts;
  private readonly client: Socket;
  private readonly engine: Socket;
  private readonly framer: FrontendFramer;
  private readonly scanner: BackendScanner;
  private readonly owed = new ResponseQueue();
  private readonly own: OwnObjects;
  private status: TransactionStatus = 'idle';
  private state: 'relaying' | 'ending' = 'relaying';
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
    this.own = new OwnObjects(parts.own);
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

  cancel(): void {
    if (this.owed.isEmpty) return;
    this.parts.upstream.cancel().catch((error: unknown) => {
      this.parts.log.warn({ err: error }, 'a cancel request did not reach the engine');
    });
  }

  end(error: HatiError): Promise<void> {
    if (this.state === 'relaying') {
      this.cancel();
      this.say(error);
      this.close();
    }
    return this.closed;
  }

  // The client's side.

  private onClientData(chunk: Buffer): void {
    if (this.state !== 'relaying') return;
    this.framer.push(chunk);
    if (!this.busy) this.takeMessages();
  }

  private takeMessages(): void {
    this.engine.cork();
    try {
      for (;;) {
        if (this.state !== 'relaying') return;
        const message = this.framer.next();
        if (message === undefined) break;
        const waiting = this.take(message);
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

  /** @returns a promise when the messages behind this one have to wait. */
  private take(message: FrontendMessage): Promise<void> | undefined {
    const { raw, body } = message;
    switch (message.type) {
      case Frontend.Query:
        return this.judge(decodeQuery(body), (decision) => this.onQuery(raw, decision));
      case Frontend.Parse:
        return this.takeParse(raw, body);
      case Frontend.Bind:
        return this.takeBind(raw, body);
      case Frontend.Describe:
        return this.takeDescribe(raw, body);
      case Frontend.Execute:
        return this.takeExecute(raw, body);
      case Frontend.Close:
        return this.takeClose(raw, body);
      case Frontend.Sync:
        this.forward(raw, 'sync');
        return undefined;
      case Frontend.Flush:
      case Frontend.CopyData:
        this.engine.write(raw);
        return undefined;
      case Frontend.CopyDone:
      case Frontend.CopyFail:
        this.owed.copyInEnded();
        this.engine.write(raw);
        return undefined;
      case Frontend.FunctionCall:
        this.refuseQuery(new HatiError('feature_not_supported', { params: { feature: 'the FunctionCall message' } }));
        return undefined;
      case Frontend.Terminate:
        this.close();
        return undefined;
      default:
        throw new HatiError('protocol_violation', {
          params: { reason: `message type ${message.type} is not expected here` },
        });
    }
  }

  private forward(raw: Buffer, expected: 'parse' | 'bind' | 'describe' | 'execute' | 'close' | 'sync' | 'query'): void {
    this.owed.push(expected);
    this.engine.write(raw);
  }

  /** Decides on a text and goes on with the decision, at once where no step had to wait. */
  private judge(
    text: Buffer,
    then: (decision: Decision) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    // What the engine will skip is not judged, and not answered.
    if (this.owed.isSkipping) return undefined;
    const decision = decide(text, this.parts.principal, this.parts.pipeline);
    if (decision instanceof Promise) return decision.then(then);
    return then(decision);
  }

  // Simple protocol.

  private onQuery(raw: Buffer, decision: Decision): Promise<void> | undefined {
    switch (decision.action) {
      case 'forward':
        this.forward(decision.text === undefined ? raw : query(decision.text), 'query');
        return undefined;
      case 'refuse':
        this.refuseQuery(decision.error);
        return undefined;
      case 'answer':
        return this.answerQuery(decision.statements);
    }
  }

  private refuseQuery(error: HatiError): void {
    this.logRefusal(error);
    this.failQuery(errorResponse(error));
  }

  private failQuery(response: Buffer): void {
    if (this.owed.isEmpty && this.status === 'idle') {
      this.client.write(Buffer.concat([response, readyForQuery('idle')]));
      return;
    }
    this.standIn(response);
    this.forward(sync, 'sync');
  }

  private async answerQuery(
    statements: Extract<Decision, { action: 'answer' }>['statements'],
  ): Promise<void> {
    if (!(await this.caughtUp())) return;
    try {
      for (const statement of statements) {
        this.checkNotFailed();
        this.client.write(await answerSimple(this.parts.own, statement));
      }
      this.client.write(readyForQuery(this.status));
    } catch (error) {
      this.failQuery(this.clientError(error));
    }
  }

  // Extended protocol.

  private takeParse(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const message = decodeParse(body);
    return this.judge(message.textBytes, (decision) => {
      switch (decision.action) {
        case 'forward': {
          if (!this.own.isEmpty) {
            const refusal = attempt(() => this.own.yieldStatement(message.name));
            if (refusal !== undefined) return this.refuse(refusal);
          }
          const rewritten = decision.text;
          this.forward(rewritten === undefined ? raw : parse({ ...message, text: rewritten }), 'parse');
          return undefined;
        }
        case 'refuse':
          return this.refuse(decision.error);
        case 'answer': {
          const [statement, ...more] = decision.statements;
          if (statement === undefined || more.length > 0) {
            return this.refuse(
              new HatiError('syntax_error', {
                params: { message: 'cannot insert multiple commands into a prepared statement' },
              }),
            );
          }
          return this.answer(() => this.own.parse(message, statement));
        }
      }
    });
  }

  private takeBind(raw: Buffer, body: Buffer): Promise<void> | undefined {
    if (!this.own.isEmpty) {
      const names = decodeBindNames(body);
      if (this.own.hasStatement(names.statement)) return this.answer(() => this.own.bind(body));
      const refusal = attempt(() => this.own.yieldPortal(names.portal));
      if (refusal !== undefined) return this.refuse(refusal);
    }
    this.forward(raw, 'bind');
    return undefined;
  }

  private takeDescribe(raw: Buffer, body: Buffer): Promise<void> | undefined {
    if (!this.own.isEmpty) {
      const name = decodeObjectName(body, 'Describe');
      if (this.own.has(name)) return this.answer(() => this.own.describe(name));
    }
    this.forward(raw, 'describe');
    return undefined;
  }

  private takeExecute(raw: Buffer, body: Buffer): Promise<void> | undefined {
    if (!this.own.isEmpty) {
      const message = decodeExecute(body);
      if (this.own.has({ kind: 'portal', name: message.portal })) {
        return this.answer(() => this.own.execute(message));
      }
    }
    this.forward(raw, 'execute');
    return undefined;
  }

  private takeClose(raw: Buffer, body: Buffer): Promise<void> | undefined {
    if (!this.own.isEmpty) {
      const name = decodeObjectName(body, 'Close');
      if (this.own.has(name)) return this.answer(() => this.own.close(name));
    }
    this.forward(raw, 'close');
    return undefined;
  }

  /** Refuses one message of an extended batch. */
  private refuse(error: HatiError): undefined {
    this.logRefusal(error);
    this.standIn(errorResponse(error));
    return undefined;
  }

  private standIn(refusal: Buffer): void {
    this.owed.push({ refusal });
    this.engine.write(refusedByHatiData);
  }

  /** Answers one message of an extended batch ourselves, in its turn. */
  private async answer(produce: () => Buffer | Promise<Buffer>): Promise<void> {
    if (!(await this.caughtUp())) return;
    try {
      this.checkNotFailed();
      this.client.write(await produce());
    } catch (error) {
      this.standIn(this.clientError(error));
    }
  }

  /**
   * Waits until the engine has answered all that it was sent.
   * @returns false when it will discard what comes until the next Sync, or the session is over.
   */
  private async caughtUp(): Promise<boolean> {
    if (!this.owed.isEmpty) {
      this.engine.write(flush);
      this.engine.uncork();
      await this.owed.drained();
    }
    return !this.owed.isSkipping && this.state === 'relaying';
  }

  private checkNotFailed(): void {
    if (this.status === 'failed') throw new HatiError('transaction_aborted');
  }

  /** What a client is told of an error: typed ones in their own words, everything else with a reference to the log. */
  private clientError(error: unknown): Buffer {
    if (error instanceof EngineError) return error.response;
    if (error instanceof HatiError) {
      this.logRefusal(error);
      return errorResponse(error);
    }
    return errorResponse(this.internal(error));
  }

  private internal(error: unknown): HatiError {
    const reference = randomUUID();
    this.parts.log.error({ err: error, reference }, 'internal error');
    return new HatiError('internal', { params: { reference } });
  }

  private logRefusal(error: HatiError): void {
    this.parts.log.info(
      { code: error.code, sqlstate: error.sqlstate, blame: error.blame, cause: error.cause },
      'refused',
    );
  }

  // The engine's side.

  private onEngineData(chunk: Buffer): void {
    let pieces: Buffer[];
    try {
      pieces = this.scanner.push(chunk);
    } catch (error) {
      this.fail(error);
      return;
    }
    if (this.state !== 'relaying') return;
    let flowing = true;
    for (const piece of pieces) flowing = this.client.write(piece);
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
        if (this.status === 'idle') this.own.endOfTransaction();
        return undefined;
      case Backend.ErrorResponse:
        if (isFatal(body)) {
          this.engineSaidFatal = true;
          return undefined;
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
    const unsafe = unsafeParameter(body);
    if (unsafe !== undefined) setImmediate(() => void this.end(unsafe));
  }

  // The end.

  private clientGone(): void {
    if (this.state !== 'relaying') return;
    this.cancel();
    this.close();
  }

  private engineGone(): void {
    if (this.state !== 'relaying') return;
    if (!this.engineSaidFatal) this.say(new HatiError('engine_lost'));
    this.close();
  }

  private fail(error: unknown): void {
    if (this.state !== 'relaying') return;
    const known = error instanceof HatiError ? error : this.internal(error);
    if (error instanceof HatiError) this.logRefusal(error);
    void this.end(known);
  }

  /** Last words; between two messages only, because inside of one they would be read as data. */
  private say(error: HatiError): void {
    if (this.client.writable && this.scanner.atBoundary) {
      this.client.write(errorResponse(error, 'FATAL'));
    }
  }

  private close(): void {
    this.state = 'ending';
    this.owed.abandon();
    this.parts.upstream.close();
    this.client.end();
    // What the client still sends is not read any more.
    this.client.removeAllListeners('data');
    this.client.resume();
    const linger = setTimeout(() => {
      this.client.destroy();
      this.engine.destroy();
    }, lingerMs);
    void this.closed.finally(() => clearTimeout(linger));
  }
}

function closeOf(socket: Socket): Promise<void> {
  return socket.destroyed ? Promise.resolve() : new Promise((resolve) => socket.once('close', () => resolve()));
}

function attempt(act: () => void): HatiError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof HatiError) return error;
    throw error;
  }
}

/** Settings without which a text may mean something else to the engine than to us. */
const required: ReadonlyMap<string, string> = new Map([
  ['client_encoding', 'UTF8'],
  ['standard_conforming_strings', 'on'],
]);

function unsafeParameter(body: Buffer): HatiError | undefined {
  const [name = '', value = ''] = body.toString('utf8').split('\0');
  const wanted = required.get(name);
  if (wanted === undefined || wanted === value) return undefined;
  return new HatiError('engine_settings_unsafe', { params: { parameter: name, value } });
}

/** The same check for what the engine reported during the handshake. */
export function checkHandshakeParameters(parameters: ReadonlyMap<string, string>): void {
  for (const [name, wanted] of required) {
    const value = parameters.get(name) ?? 'nothing';
    if (value !== wanted) {
      throw new HatiError('engine_settings_unsafe', { params: { parameter: name, value } });
    }
  }
}
