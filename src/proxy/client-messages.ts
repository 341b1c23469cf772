import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { SessionUse } from '../policy/session-use.ts';
import type { Principal } from '../ports.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import type { FrontendMessage } from '../wire/framing.ts';
import { Frontend, headerBytes } from '../wire/protocol.ts';
import { ClientStatements } from './client-statements.ts';
import { CopyIn } from './copy-in.ts';
import type { EngineHold } from './engine-hold.ts';
import { EngineStatements } from './engine-statements.ts';
import { ExtendedQuery } from './extended-query.ts';
import { Judgement } from './judgement.ts';
import type { FastLane } from './lane/fast-lane.ts';
import type { OwnAnswerParts } from './own-answers.ts';
import { OwnObjects } from './own-objects.ts';
import type { PipelineParts } from './pipeline.ts';
import { PreparedStatements } from './prepared-statements.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import type { SessionLog } from './session-log.ts';
import type { SessionState } from './session-state.ts';
import { SimpleQuery } from './simple-query.ts';
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
  /** Undefined where it is switched off. */
  readonly lane: FastLane | undefined;
  /** Told of each text that goes to the engine. */
  readonly onText: (text: ClassifiedText) => void;
}

/** Every message of the client goes to the part of the protocol that it belongs to. */
export class ClientMessages {
  private readonly parts: ClientMessagesParts;
  private readonly own: OwnObjects;
  private readonly client = new ClientStatements();
  private readonly simple: SimpleQuery;
  private readonly extended: ExtendedQuery;
  private readonly copyIn: CopyIn;
  private readonly judgement: Judgement;

  constructor(parts: ClientMessagesParts) {
    this.parts = parts;
    const { outlets, owed, hold, state, principal, searched, pipeline, refusesPins } = parts;
    const { log, meter, ownAnswers } = parts;
    const { client } = this;
    const turns = new Turns(parts);
    const own = new OwnObjects(ownAnswers);
    const judged = new PreparedStatements({
      authority: principal.authority,
      catalogue: pipeline.catalogue,
      searched,
      isPrepared: (name) => client.has(name),
    });
    const prepared = new EngineStatements({
      turns,
      client,
      batches: owed,
      lane: parts.lane,
      preparation: (link) => ({
        inForce: state.inForce,
        epoch: pipeline.definitions.epoch,
        isPrivate: state.areNamesUncertain || link.left === 'code',
      }),
      pin: (detail) => {
        if (refusesPins) throw new HatiError('pinning_refused', { params: { what: detail } });
        state.pin({ reason: 'preparedStatement', detail });
      },
    });
    const extended = new ExtendedQuery({
      turns,
      own,
      judged,
      client,
      prepared,
      hold,
      owed,
      refusesPins,
      mayKnowMore: () => state.pinned.has('code'),
      status: () => outlets.status(),
      judge: (statement, then) => judgement.judge(statement, then),
      useOf: (text) => judgement.useOf(text),
    });
    const judgement = new Judgement({
      turns,
      judged,
      extended,
      meter,
      principal,
      searched,
      pipeline,
      onText: parts.onText,
    });
    this.own = own;
    this.judgement = judgement;
    this.extended = extended;
    this.simple = new SimpleQuery({
      outlets,
      owed,
      hold,
      log,
      meter,
      ownAnswers,
      turns,
      own,
      client,
      prepared,
      extended,
      judgement,
    });
    this.copyIn = new CopyIn({ owed, outlets, turns });
  }

  /** Statements that the client has prepared under a name, by the protocol or in SQL. */
  get preparedCount(): number {
    return this.client.count + this.client.ofSql.size + this.own.statementCount;
  }

  useOf(text: ClassifiedText): SessionUse {
    return this.judgement.useOf(text);
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
    const { raw } = message;
    const { outlets, owed, hold } = this.parts;
    if (owed.isCopyingIn) return this.copyIn.take(message);
    switch (message.type) {
      case Frontend.Query:
        return this.simple.query(raw);
      case Frontend.Parse:
        return this.extended.parse(raw);
      case Frontend.Bind:
        return this.extended.bind(raw);
      case Frontend.Describe:
        return this.extended.describe(raw);
      case Frontend.Execute:
        return this.extended.execute(raw);
      case Frontend.Close:
        return this.extended.close(raw);
      case Frontend.Sync:
        requireEmpty(raw, 'Sync');
        return this.extended.sync(raw);
      case Frontend.Flush:
        requireEmpty(raw, 'Flush');
        if (hold.link !== undefined) outlets.toEngine(raw);
        return undefined;
      case Frontend.CopyData:
      case Frontend.CopyDone:
      case Frontend.CopyFail:
        // Outside of a COPY the engine would ignore it.
        return undefined;
      case Frontend.FunctionCall:
        return this.simple.functionCall(raw);
      case Frontend.Terminate:
        outlets.goodbye();
        return undefined;
      default:
        throw new HatiError('protocol_violation', {
          params: { reason: `message type ${message.type} is not expected here` },
        });
    }
  }
}

/** PostgreSQL answers a body with an error, which nothing that we wait for would explain. */
function requireEmpty(raw: Buffer, message: string): void {
  if (raw.length > headerBytes)
    throw new HatiError('protocol_violation', { params: { reason: `${message} with a body` } });
}
