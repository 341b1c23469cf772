import type { Socket } from 'node:net';
import type { EngineLink, Receiver } from '../engine/pool/link.ts';
import type { EnginePool, Partition } from '../engine/pool/pool.ts';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { Principal, SecretId } from '../ports.ts';
import { errorResponse, readyForQuery } from '../wire/backend-messages.ts';
import { shareReads } from '../wire/shared-reads.ts';
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
import type { LiveSession, LiveSessions, SessionLook } from './live-sessions.ts';
import type { OwnAnswerParts } from './own-answers.ts';
import type { PipelineParts } from './pipeline.ts';
import type { ReportedParameters } from './reported-parameters.ts';
import { ResponseQueue } from './response-queue.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import { doing } from './session-activity.ts';
import { SessionClock, type TimeLimits } from './session-clock.ts';
import { SessionEnd, type Terminator } from './session-end.ts';
import type { SessionLog } from './session-log.ts';
import { SessionOutlets } from './session-outlets.ts';
import { SessionRest } from './session-rest.ts';
import type { SessionState } from './session-state.ts';

export interface SessionLimits extends TimeLimits {
  readonly messageBytes: number;
}

export interface SessionParts {
  /** As its client was told. */
  readonly processId: number;
  readonly client: Socket;
  readonly pool: EnginePool;
  readonly partition: Partition;
  readonly state: SessionState;
  readonly parameters: ReportedParameters;
  readonly refusesPins: boolean;
  /** Undefined where they are switched off. */
  readonly lanes: Lanes | undefined;
  readonly terminator: Terminator;
  readonly principal: Principal;
  readonly searched: SearchedSchemas;
  readonly pipeline: PipelineParts;
  readonly ownAnswers: OwnAnswerParts;
  readonly limits: SessionLimits;
  readonly log: SessionLog;
  readonly meter: SessionMeter;
  readonly sessions: LiveSessions;
  /** Called once, when both sides are closed. */
  readonly onGone: (principal: Principal, pool: EnginePool) => void;
}

/**
 * One authenticated client, and the engine connection that it holds while it must: the way of the bytes from one side to the
 * other. How it ends: `session-end.ts`.
 *
 * What it is made of is given the session itself, and says in an interface what it needs of it: most sessions of a proxy are
 * idle, and with closures for each of them these would be most of their memory.
 */
export class Session implements LiveSession {
  readonly client: Socket;
  readonly pool: EnginePool;
  readonly partition: Partition;
  readonly principal: Principal;
  readonly state: SessionState;
  readonly parameters: ReportedParameters;
  readonly refusesPins: boolean;
  readonly terminator: Terminator;
  readonly pipeline: PipelineParts;
  readonly ownAnswers: OwnAnswerParts;
  readonly limits: SessionLimits;
  readonly log: SessionLog;
  readonly meter: SessionMeter;
  readonly owed = new ResponseQueue();
  readonly request: LinkWait;
  readonly hold: EngineHold;
  readonly engine: EngineReader;
  readonly writer: EngineWriter;
  readonly lane: FastLane | undefined;
  readonly answers: EngineAnswers;
  readonly ending: SessionEnd;
  readonly reader: ClientReader;
  readonly rest: SessionRest;
  private readonly processId: number;
  private readonly sessions: LiveSessions;
  private readonly searched: SearchedSchemas;
  private readonly onGone: SessionParts['onGone'];
  private readonly batch: BatchDeadline;
  private readonly clock: SessionClock;
  private known: ClientMessages | undefined;
  private readonly connectedAt = Date.now();

  constructor(parts: SessionParts) {
    this.client = parts.client;
    this.pool = parts.pool;
    this.partition = parts.partition;
    this.principal = parts.principal;
    this.state = parts.state;
    this.parameters = parts.parameters;
    this.refusesPins = parts.refusesPins;
    this.terminator = parts.terminator;
    this.pipeline = parts.pipeline;
    this.ownAnswers = parts.ownAnswers;
    this.limits = parts.limits;
    this.log = parts.log;
    this.meter = parts.meter;
    this.processId = parts.processId;
    this.sessions = parts.sessions;
    this.searched = parts.searched;
    this.onGone = parts.onGone;
    this.clock = new SessionClock(parts.limits);
    this.batch = new BatchDeadline(parts.partition.start.settings, this);
    this.request = new LinkWait(this);
    this.hold = new EngineHold(this);
    this.engine = new EngineReader(this);
    this.writer = new EngineWriter(this);
    this.lane = parts.lanes && new FastLane(parts.lanes, this);
    this.answers = new EngineAnswers(this);
    this.ending = new SessionEnd(this);
    this.reader = new ClientReader(this);
    this.rest = new SessionRest(this);
  }

  /** A client that says nothing has none of it. */
  get messages(): ClientMessages {
    this.known ??= new ClientMessages({
      outlets: new SessionOutlets(this),
      owed: this.owed,
      hold: this.hold,
      state: this.state,
      log: this.log,
      meter: this.meter,
      principal: this.principal,
      searched: this.searched,
      pipeline: this.pipeline,
      ownAnswers: this.ownAnswers,
      refusesPins: this.refusesPins,
      lane: this.lane,
      onText: (text) => this.batch.onText(text),
    });
    return this.known;
  }

  get secretId(): SecretId | undefined {
    const { principal } = this;
    return principal.kind === 'key' ? principal.secretId : undefined;
  }

  look(): SessionLook {
    const { meter, state, pool } = this;
    return {
      actor: this.ownAnswers.actor,
      pool,
      client: this.client,
      connectedAt: this.connectedAt,
      state: this.ending.isRelaying ? meter.state : 'ending',
      since: meter.since,
      waitingSince: this.request.since,
      link: this.hold.current,
      ride: this.lane?.link,
      pins: state.pinned,
      preparedCount: this.known?.preparedCount ?? 0,
      applicationName: this.parameters.applicationName,
    };
  }

  /**
   * Begins to relay. Everything that greets the client has been written by then.
   * @param early bytes of the client that arrived with its password
   */
  start(early: Buffer): void {
    const { client } = this;
    shareReads(client);
    client.on('data', (chunk: Buffer) => this.reader.onData(chunk));
    client.on('end', () => this.ending.clientGone());
    client.on('close', () => this.ending.clientClosed());
    if (early.length > 0) this.reader.onData(early);
    client.resume();
  }

  async cancel(): Promise<void> {
    this.request.giveUp(new HatiError('query_canceled'));
    if (this.owed.isEmpty) {
      this.reader.isCancelled = this.reader.isBusy;
      return;
    }
    const way = this.lane?.cancel();
    if (way === 'waiting') {
      const error = this.answers.takeReason();
      this.log.refused(error);
      this.tell(Buffer.concat([errorResponse(error), readyForQuery('idle')]));
      this.meter.ready('idle', true);
      this.rest.check();
      this.reader.release();
      return;
    }
    try {
      await (way ?? this.hold.link?.cancel());
    } catch (error) {
      this.log.lines.warn({ err: error }, 'a cancel request did not reach the engine');
      // Who asked for it must not wait for an answer that may never come.
      this.fail(new HatiError('engine_lost'));
    }
  }

  end(error: HatiError): Promise<void> {
    // Its name is on connections that would wait for it in vain.
    if (error.code === 'invalid_api_key') this.pool.closeIdle(this.partition);
    this.ending.end(error);
    return this.ending.closed;
  }

  endAtRest(error: HatiError): Promise<void> {
    this.rest.leave(error);
    return this.ending.closed;
  }

  checkTime(now: number): void {
    const { isRelaying, isLeaving } = this.ending;
    if (!isRelaying && !isLeaving) return;
    const verdict = this.clock.look(doing(this), now);
    if (verdict === undefined) return;
    const { act, error } = verdict;
    this.log.lines.info({ code: error.code, act }, 'a limit of time was reached');
    if (act === 'cancel' && isRelaying) {
      this.answers.cancelling(error);
      void this.cancel();
    } else if (act === 'endAtRest') void this.endAtRest(error);
    else void this.end(error);
  }

  fail(error: unknown): void {
    if (this.ending.isRelaying) void this.end(this.log.known(error));
  }

  tell(bytes: Buffer): void {
    if (this.client.writable) this.client.write(bytes);
  }

  // What becomes of the engine connection (`EngineHoldParts`).

  get receiver(): Receiver {
    return this.engine;
  }

  isWhole(): boolean {
    return this.engine.isWhole;
  }

  onDefined(): void {
    this.pipeline.definitions.changed();
  }

  onAttached(link: EngineLink): void {
    for (const bytes of this.parameters.attached(link)) this.tell(bytes);
  }

  onUnrestorable(error: HatiError): void {
    this.fail(error);
  }

  // What becomes of the client's messages (`ClientReaderParts`), and of the session (`SessionEndParts`).

  onTaken(): void {
    this.batch.watch(this.owed.isUnsynced);
  }

  onFinish(): void {
    this.request.giveUp(new HatiError('shutting_down'));
    this.lane?.abandon();
    this.engine.abandon();
  }

  onClosed(): void {
    this.meter.close();
    this.sessions.remove(this.processId);
    this.onGone(this.principal, this.pool);
    this.log.debug({}, 'session ended');
  }
}
