import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { authorizeFunctionCall } from '../policy/large-objects.ts';
import { sessionUse, type SessionUse } from '../policy/session-use.ts';
import type { Principal } from '../ports.ts';
import { first } from '../shared/first.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import { readyForQuery } from '../wire/backend-messages.ts';
import { decodeFunctionCall, decodeQuery } from '../wire/decode.ts';
import type { FrontendMessage } from '../wire/framing.ts';
import { query, sync } from '../wire/frontend-messages.ts';
import { Frontend } from '../wire/protocol.ts';
import { ClientStatements } from './client-statements.ts';
import { CopyIn } from './copy-in.ts';
import type { EngineHold } from './engine-hold.ts';
import { EngineStatements } from './engine-statements.ts';
import { ExtendedQuery } from './extended-query.ts';
import { answerSimple, type OwnAnswerParts } from './own-answers.ts';
import { OwnObjects } from './own-objects.ts';
import { decide, type Decision, type PipelineParts } from './pipeline.ts';
import { PreparedStatements } from './prepared-statements.ts';
import type { Outcome, ResponseQueue } from './response-queue.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import type { SessionLog } from './session-log.ts';
import type { SessionState } from './session-state.ts';
import { Turns, type Outlets } from './turns.ts';

export interface ClientMessagesParts {
  readonly outlets: Outlets;
  readonly owed: ResponseQueue;
  readonly hold: EngineHold;
  readonly state: SessionState;
  readonly log: SessionLog;
  readonly meter: SessionMeter;
  readonly principal: Principal;
  readonly searched: SearchedSchemas;
  readonly pipeline: PipelineParts;
  readonly ownAnswers: OwnAnswerParts;
  /** What would keep an engine connection is refused. */
  readonly refusesPins: boolean;
  /** Told of each text that goes to the engine. */
  readonly onText: (text: ClassifiedText) => void;
}

/** Decides what becomes of each message of the client: it goes to the engine, is refused, or is answered by us. */
export class ClientMessages {
  private readonly parts: ClientMessagesParts;
  private readonly turns: Turns;
  private readonly own: OwnObjects;
  private readonly client = new ClientStatements();
  private readonly judged: PreparedStatements;
  private readonly prepared: EngineStatements;
  private readonly extended: ExtendedQuery;
  private readonly copyIn: CopyIn;

  constructor(parts: ClientMessagesParts) {
    this.parts = parts;
    const { principal, pipeline, searched, hold, state } = parts;
    this.turns = new Turns(parts);
    this.copyIn = new CopyIn({ ...parts, turns: this.turns });
    this.own = new OwnObjects(parts.ownAnswers);
    this.judged = new PreparedStatements({
      authority: principal.authority,
      catalogue: pipeline.catalogue,
      searched,
    });
    const { client } = this;
    this.prepared = new EngineStatements({
      turns: this.turns,
      client,
      batches: parts.owed,
      preparation: (link) => ({
        inForce: state.inForce,
        epoch: pipeline.definitions.epoch,
        isPrivate: state.areNamesUncertain || link.left === 'code',
      }),
      pin: (detail) => {
        if (parts.refusesPins) throw new HatiError('pinning_refused', { params: { what: detail } });
        state.pin({ reason: 'preparedStatement', detail });
      },
    });
    this.extended = new ExtendedQuery({
      turns: this.turns,
      own: this.own,
      judged: this.judged,
      client,
      prepared: this.prepared,
      hold,
      owed: parts.owed,
      refusesPins: parts.refusesPins,
      status: () => parts.outlets.status(),
      judge: (statement, then) => this.judge(statement, then),
      useOf: (text) => this.useOf(text),
    });
  }

  /** Statements that the client has prepared under a name, by the protocol or in SQL. */
  get preparedCount(): number {
    return this.client.count + this.client.ofSql.size + this.own.statementCount;
  }

  /** Portals end with the transaction. */
  endOfTransaction(): void {
    this.own.endOfTransaction();
    this.extended.endOfTransaction();
  }

  /** What the engine says of a statement that it knows by a name of ours. */
  nameOf(engineName: string): string {
    return this.client.nameOf(engineName) ?? engineName;
  }

  /** The engine has said that something failed. @param error the body of its ErrorResponse */
  engineFailed(error: Buffer): void {
    this.copyIn.broken(error);
  }

  /** @returns a promise when the messages behind this one have to wait. */
  take(message: FrontendMessage): Promise<void> | undefined {
    const { raw, body } = message;
    const { outlets, owed, hold } = this.parts;
    if (owed.isCopyingIn) return this.copyIn.take(message);
    switch (message.type) {
      case Frontend.Query:
        return this.judge({ text: decodeQuery(body), parameterTypes: [] }, (decision) =>
          this.onQuery(raw, decision),
        );
      case Frontend.Parse:
        return this.extended.parse(raw, body);
      case Frontend.Bind:
        return this.extended.bind(raw, body);
      case Frontend.Describe:
        return this.extended.describe(raw, body);
      case Frontend.Execute:
        return this.extended.execute(raw, body);
      case Frontend.Close:
        return this.extended.close(raw, body);
      case Frontend.Sync:
        requireEmpty(body, 'Sync');
        return this.extended.sync(raw);
      case Frontend.Flush:
        requireEmpty(body, 'Flush');
        if (hold.link !== undefined) outlets.toEngine(raw);
        return undefined;
      case Frontend.CopyData:
      case Frontend.CopyDone:
      case Frontend.CopyFail:
        // Outside of a COPY the engine would ignore it.
        return undefined;
      case Frontend.FunctionCall:
        return this.onFunctionCall(raw, decodeFunctionCall(body));
      case Frontend.Terminate:
        outlets.goodbye();
        return undefined;
      default:
        throw new HatiError('protocol_violation', {
          params: { reason: `message type ${message.type} is not expected here` },
        });
    }
  }

  /** Decides on a text and goes on with the decision, at once where no step had to wait. */
  private judge(
    statement: { readonly text: Buffer; readonly parameterTypes: readonly number[] },
    then: (decision: Decision) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    // What is skipped is not judged, and not answered.
    if (this.turns.isSkipping) return undefined;
    const { principal, pipeline, searched } = this.parts;
    const trace = this.parts.meter.traces?.current;
    const decision = decide({ ...statement, principal, searched, parts: pipeline, trace });
    if (!(decision instanceof Promise)) return this.onceDecided(decision, then);
    // The error that makes the engine skip may have come meanwhile.
    return decision.then((made) =>
      this.turns.isSkipping ? undefined : this.onceDecided(made, then),
    );
  }

  /** Which statements it names must be known. */
  private onceDecided(
    decision: Decision,
    then: (decision: Decision) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    const isUndecided = (name: string): boolean => this.extended.isUndecided(name);
    const mustWait =
      decision.action === 'forward' &&
      decision.classified.statements.some(
        ({ executed, deallocated, prepared }) =>
          executed.some(isUndecided) || deallocated.some(isUndecided) || prepared.some(isUndecided),
      );
    if (!mustWait) return then(this.checked(decision));
    return this.extended
      .decided()
      .then((goesOn) => (goesOn ? then(this.checked(decision)) : undefined));
  }

  private checked(made: Decision): Decision {
    const decision = this.judged.onDecision(made);
    if (decision.action !== 'forward') return decision;
    const use = this.extended.wholeUse(this.useOf(decision.classified));
    const [pin] = this.parts.refusesPins ? use.pins : [];
    const error =
      pin === undefined
        ? (this.prepared.fault(decision.classified, this.parts.state.pinned.has('code')) ??
          first(use.executed, (name) => this.judged.recheck(name)))
        : new HatiError('pinning_refused', { params: { what: pin.detail } });
    if (error !== undefined) return { action: 'refuse', error };
    this.parts.onText(decision.classified);
    return decision;
  }

  private useOf(text: ClassifiedText): SessionUse {
    const { pipeline, searched } = this.parts;
    const catalogue = pipeline.catalogue();
    const use = sessionUse(text, { catalogue, searched: searched.within(catalogue) });
    if (pipeline.isCatalogueCurrent() || use.leaves === 'code') return use;
    // A view or a trigger may have been made a moment ago.
    const touches = text.statements.some(({ relations }) => relations.length > 0);
    return touches ? { ...use, leaves: 'code' } : use;
  }

  private onQuery(raw: Buffer, decision: Decision): Promise<void> | undefined {
    const { owed, outlets } = this.parts;
    const isLost = owed.hasExecuted || (owed.isUnsynced && decision.action === 'answer');
    if (isLost && outlets.status() === 'idle')
      return this.refuseInBatch(decision.action === 'refuse' ? decision.error : undefined);
    // As with every Query, whatever becomes of it.
    if (decision.action !== 'forward') this.client.unnamed = undefined;
    switch (decision.action) {
      case 'forward':
        return this.turns.withEngine(
          (link) => this.forwardQuery(link, raw, decision),
          (response) => this.turns.failQuery(response),
        );
      case 'refuse':
        return this.turns.refuseQuery(decision.error);
      case 'answer':
        return this.answerQuery(decision.statements);
    }
  }

  /**
   * PostgreSQL 18 acknowledges both the batch and the Query, and then loses them: its transaction stays open and is
   * given up. So the batch fails here, and the Query is answered as if a Sync stood in its place.
   */
  private async refuseInBatch(error: HatiError | undefined): Promise<void> {
    if (!(await this.turns.caughtUp())) return;
    const reason = 'a Query or FunctionCall between extended messages and their Sync';
    this.turns.refuse(error ?? new HatiError('protocol_violation', { params: { reason } }));
    return this.extended.sync(sync);
  }

  private forwardQuery(
    link: EngineLink,
    raw: Buffer,
    decision: Extract<Decision, { action: 'forward' }>,
  ): Promise<void> | undefined {
    const { classified, text } = decision;
    const { owed, outlets } = this.parts;
    const use = this.extended.wholeUse(this.useOf(classified));
    // It must be known of each message behind a COPY whether the engine reads it as one of that.
    if (use.copiesIn && !owed.isEmpty)
      return this.turns
        .caughtUp()
        .then((goesOn) => (goesOn ? this.forwardQuery(link, raw, decision) : undefined));
    classified.runs += 1;
    this.extended.running(use);
    const inBatch = this.endBatch(link);
    if (use.endsPrepared) this.own.clear();
    const undo = this.prepared.endUnnamed(link);
    const after = this.prepared.exportNamed(link, use, inBatch || use.copiesIn);
    const ends = use.endsPrepared || use.resetsSettings || use.deallocated.length > 0;
    const settle = (done: boolean, { completed, isDiscarded }: Outcome): void => {
      if (isDiscarded) undo();
      const { statements } = classified;
      this.extended.ended(link, done ? statements : statements.slice(0, completed));
      // In a transaction block it may still be taken back.
      if (done && statements.length === 1 && outlets.status() === 'idle') this.parts.hold.done(use);
    };
    const message = text === undefined ? raw : query(text);
    this.turns.querySent();
    this.extended.querySent();
    this.turns.forward(message, ends || inBatch ? { of: 'query', settle } : 'query');
    if (use.copiesIn) return owed.copyKnown();
    after();
    // What comes behind must not be taken for something that this one ends.
    return ends ? owed.drained() : undefined;
  }

  /** A batch without Sync ends at what is no part of it. @returns whether there is one. */
  private endBatch(link: EngineLink): boolean {
    const inBatch = this.parts.owed.isUnsynced;
    this.prepared.endOfBatch(inBatch ? link : undefined);
    return inBatch;
  }

  /** Like a Query it is a transaction of its own, or part of one, and answered with ReadyForQuery. */
  private onFunctionCall(raw: Buffer, oid: number): Promise<void> | undefined {
    if (this.turns.isSkipping) return undefined;
    const { principal, pipeline, owed, outlets } = this.parts;
    const error = pipeline.keys.isCurrent(principal)
      ? authorizeFunctionCall(principal.authority, oid)
      : new HatiError('invalid_api_key');
    if (owed.hasExecuted && outlets.status() === 'idle') return this.refuseInBatch(error);
    if (error !== undefined) return this.turns.refuseQuery(error);
    return this.turns.withEngine(
      (link) => {
        this.endBatch(link);
        this.turns.forward(raw, 'query');
        return undefined;
      },
      (response) => this.turns.failQuery(response),
    );
  }

  private async answerQuery(
    statements: Extract<Decision, { action: 'answer' }>['statements'],
  ): Promise<void> {
    const { outlets, ownAnswers, log } = this.parts;
    if (!(await this.turns.caughtUp())) return;
    try {
      for (const statement of statements) {
        this.turns.checkNotFailed();
        outlets.toClient(await answerSimple(ownAnswers, statement));
      }
      const status = outlets.status();
      outlets.toClient(readyForQuery(status));
      this.parts.meter.ready(status, true);
    } catch (error) {
      this.turns.failQuery(log.response(error));
    }
  }
}

/** PostgreSQL answers a body with an error, which nothing that we wait for would explain. */
function requireEmpty(body: Buffer, message: string): void {
  if (body.length > 0)
    throw new HatiError('protocol_violation', { params: { reason: `${message} with a body` } });
}
