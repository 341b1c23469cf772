import type { Socket } from 'node:net';
import type { Logger } from 'pino';
import type { EnginePool, Partition } from '../engine/pool/pool.ts';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { Principal, SecretId } from '../ports.ts';
import { errorResponse, readyForQuery } from '../wire/backend-messages.ts';
import { BatchDeadline } from './batch-deadline.ts';
import { ClientMessages } from './client-messages.ts';
import { ClientReader } from './client-reader.ts';
import { EngineAnswers } from './engine-answers.ts';
import { EngineHold } from './engine-hold.ts';
import { EngineReader } from './engine-reader.ts';
import { EngineWriter } from './engine-writer.ts';
import { FastLane } from './lane/fast-lane.ts';
import type { Lanes } from './lane/lanes.ts';
import { LinkWait } from './link-wait.ts';
import type { LiveSession, SessionLook } from './live-sessions.ts';
import type { OwnAnswerParts } from './own-answers.ts';
import type { PipelineParts } from './pipeline.ts';
import type { ReportedParameters } from './reported-parameters.ts';
import { ResponseQueue } from './response-queue.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import { doing } from './session-activity.ts';
import { SessionClock, type TimeLimits } from './session-clock.ts';
import { SessionEnd } from './session-end.ts';
import { SessionLog } from './session-log.ts';
import type { SessionState } from './session-state.ts';
import type { Outlets } from './turns.ts';

export interface SessionParts {
  readonly client: Socket;
  readonly pool: EnginePool;
  readonly partition: Partition;
  readonly state: SessionState;
  readonly reported: ReportedParameters;
  readonly refusesPins: boolean;
  /** Undefined where they are switched off. */
  readonly lanes: Lanes | undefined;
  /** Ends a backend, whatever it is doing and whatever it has been sent. */
  readonly terminate: (processId: number) => Promise<void>;
  readonly principal: Principal;
  readonly searched: SearchedSchemas;
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
 * One authenticated client, and the engine connection that it holds while it must: the way of the bytes from one side to the
 * other. How it ends: `session-end.ts`.
 */
export class Session implements LiveSession {
  private readonly parts: SessionParts;
  private readonly client: Socket;
  private readonly log: SessionLog;
  private readonly owed = new ResponseQueue();
  private readonly parameters: ReportedParameters;
  private readonly wait: LinkWait;
  private readonly hold: EngineHold;
  private readonly engine: EngineReader;
  private readonly writer: EngineWriter;
  private readonly lane: FastLane | undefined;
  private readonly messages: ClientMessages;
  private readonly answers: EngineAnswers;
  private readonly ending: SessionEnd;
  private readonly reader: ClientReader;
  private readonly batch: BatchDeadline;
  private readonly clock: SessionClock;
  /** What the client is told once it is at rest. */
  private farewell: HatiError | undefined;
  private readonly connectedAt = Date.now();

  constructor(parts: SessionParts) {
    const { client, pipeline, meter, principal, searched, reported, state, pool } = parts;
    this.parts = parts;
    this.client = client;
    this.log = new SessionLog(parts.log, meter);
    this.clock = new SessionClock(parts.timeLimits);
    this.batch = new BatchDeadline(parts.partition.start.settings, () => this.batchExpired());
    this.parameters = reported;
    this.wait = new LinkWait({
      partition: parts.partition,
      principal,
      settings: parts.own.parameters,
      isOver: () => !this.ending.isRelaying,
      toClient: (bytes) => this.tell(bytes),
    });
    this.hold = new EngineHold({
      pool,
      request: this.wait.request,
      state,
      receiver: {
        onData: (chunk) => this.engine.onData(chunk),
        onGone: () => this.ending.engineGone(),
      },
      refusesPins: parts.refusesPins,
      isWhole: () => this.engine.isWhole,
      onDefined: () => pipeline.definitions.changed(),
      onAttached: (link) => {
        for (const bytes of this.parameters.attached(link)) this.tell(bytes);
      },
      onUnrestorable: (error) => this.fail(error),
    });
    this.engine = new EngineReader({
      client,
      owed: this.owed,
      meter,
      hold: this.hold,
      onMessage: (type, body) => this.answers.onMessage(type, body),
      isOver: () => this.ending.isOver,
      onStalled: () => this.lane?.stall(),
      onPassed: () => this.rest(),
      onError: (error) => this.fail(error),
    });
    this.writer = new EngineWriter({ hold: this.hold, counted: meter.totals.bytes });
    this.lane =
      parts.lanes &&
      new FastLane({
        lanes: parts.lanes,
        partition: parts.partition,
        state,
        hold: this.hold,
        owed: this.owed,
        writer: this.writer,
        engine: this.engine,
        useOf: (text) => this.messages.useOf(text),
        isFree: () => this.isAtRest && this.hold.isNone && state.pinned.size === 0,
        onAnswered: () => this.reader.release(),
        onWithdrawn: (messages) => this.reader.takeAgain(messages),
        onLost: () => this.ending.engineGone(),
      });
    this.messages = new ClientMessages({
      outlets: this.outlets(),
      owed: this.owed,
      hold: this.hold,
      state,
      log: this.log,
      meter,
      principal,
      searched,
      pipeline,
      ownAnswers: parts.own,
      refusesPins: parts.refusesPins,
      lane: this.lane,
      onText: (text) => this.batch.onText(text),
    });
    this.answers = new EngineAnswers({
      owed: this.owed,
      hold: this.hold,
      messages: this.messages,
      parameters: this.parameters,
      log: this.log,
      meter,
      isBusy: () => this.reader.isBusy,
      isFree: () => this.isAtRest && state.pinned.size === 0,
      onStale: () => pipeline.definitions.noticed(),
      onFatal: () => this.ending.onFatal(),
      onUnsafe: (error) => void this.end(error),
    });
    this.ending = new SessionEnd({
      client,
      hold: this.hold,
      owed: this.owed,
      engine: this.engine,
      meter,
      log: parts.log,
      terminate: parts.terminate,
      flush: () => this.writer.send(),
      onFinish: () => {
        this.wait.giveUp(new HatiError('shutting_down'));
        this.lane?.abandon();
        this.engine.abandon();
      },
      onClosed: parts.onClosed,
    });
    this.reader = new ClientReader({
      client,
      messageBytes: parts.messageBytes,
      hold: this.hold,
      writer: this.writer,
      ending: this.ending,
      meter,
      before: () => this.settled(),
      take: (message) => this.messages.take(message),
      onTaken: () => this.batch.watch(this.owed.isUnsynced),
      onWaited: () => this.rest(),
      onError: (error) => this.fail(error),
      lane: this.lane,
    });
  }

  get secretId(): SecretId | undefined {
    const { principal } = this.parts;
    return principal.kind === 'key' ? principal.secretId : undefined;
  }

  look(): SessionLook {
    const { meter, state, own, pool } = this.parts;
    return {
      actor: own.actor,
      pool,
      client: this.client,
      connectedAt: this.connectedAt,
      state: this.ending.isRelaying ? meter.state : 'ending',
      since: meter.since,
      waitingSince: this.wait.since,
      link: this.hold.current,
      pins: state.pinned,
      preparedCount: this.messages.preparedCount,
      applicationName: this.parameters.applicationName,
    };
  }

  /**
   * Begins to relay. Everything that greets the client has been written by then.
   * @param early bytes of the client that arrived with its password
   */
  start(early: Buffer): void {
    const { client } = this;
    client.on('data', (chunk: Buffer) => this.reader.onData(chunk));
    client.on('end', () => this.ending.clientGone());
    client.on('close', () => this.ending.clientGone());
    if (early.length > 0) this.reader.onData(early);
    client.resume();
  }

  async cancel(): Promise<void> {
    this.wait.giveUp(new HatiError('query_canceled'));
    if (this.owed.isEmpty) {
      this.reader.isCancelled = this.reader.isBusy;
      return;
    }
    const way = this.lane?.cancel();
    if (way === 'waiting') {
      const error = this.answers.takeReason();
      this.log.refused(error);
      this.tell(Buffer.concat([errorResponse(error), readyForQuery('idle')]));
      this.parts.meter.ready('idle', true);
      this.rest();
      this.reader.release();
      return;
    }
    try {
      await (way ?? this.hold.link?.cancel());
    } catch (error) {
      this.parts.log.warn({ err: error }, 'a cancel request did not reach the engine');
      // Who asked for it must not wait for an answer that may never come.
      this.fail(new HatiError('engine_lost'));
    }
  }

  end(error: HatiError): Promise<void> {
    // Its name is on connections that would wait for it in vain.
    if (error.code === 'invalid_api_key') this.parts.pool.closeIdle(this.parts.partition);
    this.ending.end(error);
    return this.ending.closed;
  }

  endAtRest(error: HatiError): Promise<void> {
    this.farewell = error;
    this.leaveIfAsked();
    return this.ending.closed;
  }

  checkTime(now: number): void {
    const { isRelaying, isLeaving } = this.ending;
    const { client, owed, wait, reader, answers } = this;
    if (!isRelaying && !isLeaving) return;
    const verdict = this.clock.look(doing({ client, owed, wait, reader, answers }), now);
    if (verdict === undefined) return;
    const { act, error } = verdict;
    this.parts.log.info({ code: error.code, act }, 'a limit of time was reached');
    if (act === 'cancel' && isRelaying) {
      this.answers.cancelling(error);
      void this.cancel();
    } else if (act === 'endAtRest') void this.endAtRest(error);
    else void this.end(error);
  }

  /** @returns whether the session was waiting for this moment to end. */
  private leaveIfAsked(): boolean {
    if (this.farewell === undefined || !this.isAtRest || this.reader.isBusy) return false;
    void this.end(this.farewell);
    return true;
  }

  private fail(error: unknown): void {
    if (this.ending.isRelaying) void this.end(this.log.known(error));
  }

  // The client's side.

  private tell(bytes: Buffer): void {
    if (this.client.writable) this.client.write(bytes);
  }

  private outlets(): Outlets {
    const { bytes: counted } = this.parts.meter.totals;
    return {
      toEngine: (bytes) => this.writer.write(bytes),
      flushToEngine: () => this.writer.send(),
      toClient: (bytes) => {
        counted.toClients += bytes.length;
        this.client.write(bytes);
      },
      status: () => this.answers.status,
      isOver: () => !this.ending.isRelaying,
      isCancelled: () => this.reader.isCancelled,
      goodbye: () => this.ending.leave(),
    };
  }

  private batchExpired(): void {
    if (!this.ending.isRelaying || !this.owed.isUnsynced) return;
    // It may still be at work, or its answers not read yet.
    if (this.owed.isEmpty && !this.reader.isBusy && !this.client.writableNeedDrain)
      void this.end(new HatiError('idle_batch'));
    else this.batch.watch(true);
  }

  /** A message that is being dealt with may still need the connection. */
  private rest(): void {
    if (this.reader.isBusy || !this.isAtRest) return;
    this.lane?.rested();
    if (!this.leaveIfAsked()) this.hold.atRest();
  }

  /**
   * Between two transactions the engine is asked what the client has set: behind the next statement it could be something
   * else. In the middle of a message, which nobody asked for, it can't be asked.
   */
  private settled(): Promise<void> | undefined {
    if (this.engine.isWhole || !this.isIdle || this.parts.state.unread.length === 0)
      return undefined;
    return this.engine.whole().then(() => {
      if (this.isAtRest) this.hold.atRest();
    });
  }

  /** The engine owes nothing, and no transaction is open. */
  private get isIdle(): boolean {
    return (
      this.owed.isEmpty &&
      this.answers.status === 'idle' &&
      !this.owed.isUnsynced &&
      !this.owed.isSkipping &&
      this.ending.isRelaying
    );
  }

  /** The same, and the rest of a message that nobody asked for would not come to whoever is next. */
  private get isAtRest(): boolean {
    return this.isIdle && this.engine.isWhole;
  }
}
