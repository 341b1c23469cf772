import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { Principal } from '../ports.ts';
import { errorResponse, readyForQuery } from '../wire/backend-messages.ts';
import {
  decodeBindNames,
  decodeExecute,
  decodeObjectName,
  decodeParse,
  decodeQuery,
} from '../wire/decode.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import type { FrontendMessage } from '../wire/framing.ts';
import {
  flush,
  parse,
  query,
  refusedMessage,
  refusedParse,
  refusedQuery,
} from '../wire/frontend-messages.ts';
import { Frontend, type TransactionStatus } from '../wire/protocol.ts';
import { answerSimple, type OwnAnswerParts } from './own-answers.ts';
import { OwnObjects } from './own-objects.ts';
import { decide, type Decision, type PipelineParts } from './pipeline.ts';
import { PreparedStatements } from './prepared-statements.ts';
import type { Expected, Refusal, ResponseQueue } from './response-queue.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import type { SessionLog } from './session-log.ts';

/** What the session lets its messages do. The session alone holds the sockets. */
export interface Outlets {
  toEngine(bytes: Buffer): void;
  /** Sends what has been gathered so far. */
  flushToEngine(): void;
  toClient(bytes: Buffer): void;
  /** As of the last ReadyForQuery. */
  status(): TransactionStatus;
  isOver(): boolean;
  /** The client said Terminate. */
  goodbye(): void;
}

export interface ClientMessagesParts {
  readonly outlets: Outlets;
  readonly owed: ResponseQueue;
  readonly log: SessionLog;
  readonly meter: SessionMeter;
  readonly principal: Principal;
  readonly searched: SearchedSchemas;
  readonly pipeline: PipelineParts;
  readonly ownAnswers: OwnAnswerParts;
  /** Told of each text that goes to the engine. */
  readonly onText: (text: ClassifiedText) => void;
}

/**
 * Decides what becomes of each message of the client: it goes to the engine, is refused, or is answered by us.
 *
 * A message that we refuse is replaced by one that the engine is sure to refuse, and the engine's error by ours
 * (`refusedMessage`, `refusedQuery`): so the order of answers, the abort of the transaction and the skip to Sync are PostgreSQL's
 * own. Outside of a transaction, with nothing in flight, a refused Query is answered at once and the engine hears
 * nothing.
 */
export class ClientMessages {
  private readonly parts: ClientMessagesParts;
  private readonly outlets: Outlets;
  private readonly owed: ResponseQueue;
  private readonly own: OwnObjects;
  private readonly prepared: PreparedStatements;

  constructor(parts: ClientMessagesParts) {
    this.parts = parts;
    this.outlets = parts.outlets;
    this.owed = parts.owed;
    this.own = new OwnObjects(parts.ownAnswers);
    this.prepared = new PreparedStatements({
      authority: parts.principal.authority,
      catalogue: parts.pipeline.catalogue,
      searched: parts.searched,
    });
  }

  /** The last Bind of it, unless a Query came behind. */
  private unnamedPortal: UnnamedPortal | undefined;

  /** Portals end with the transaction. */
  endOfTransaction(): void {
    this.own.endOfTransaction();
  }

  /** @returns a promise when the messages behind this one have to wait. */
  take(message: FrontendMessage): Promise<void> | undefined {
    const { raw, body } = message;
    switch (message.type) {
      case Frontend.Query:
        return this.judge({ text: decodeQuery(body), parameterTypes: [] }, (decision) =>
          this.onQuery(raw, decision),
        );
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
        requireEmpty(body, 'Sync');
        if (this.unnamedPortal !== undefined) this.unnamedPortal.isInBatch = false;
        this.forward(raw, 'sync');
        return undefined;
      case Frontend.Flush:
        requireEmpty(body, 'Flush');
        this.outlets.toEngine(raw);
        return undefined;
      case Frontend.CopyData:
        this.outlets.toEngine(raw);
        return undefined;
      case Frontend.CopyDone:
      case Frontend.CopyFail:
        this.owed.copyInEnded();
        this.outlets.toEngine(raw);
        return undefined;
      case Frontend.FunctionCall:
        if (this.owed.isSkipping) return undefined;
        this.refuseQuery(
          new HatiError('feature_not_supported', {
            params: { feature: 'the FunctionCall message' },
          }),
        );
        return undefined;
      case Frontend.Terminate:
        this.outlets.goodbye();
        return undefined;
      default:
        throw new HatiError('protocol_violation', {
          params: { reason: `message type ${message.type} is not expected here` },
        });
    }
  }

  private forward(raw: Buffer, expected: Exclude<Expected, Refusal>): void {
    this.owed.push(expected);
    this.outlets.toEngine(raw);
  }

  /** Decides on a text and goes on with the decision, at once where no step had to wait. */
  private judge(
    statement: { readonly text: Buffer; readonly parameterTypes: readonly number[] },
    then: (decision: Decision) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    // What the engine will skip is not judged, and not answered.
    if (this.owed.isSkipping) return undefined;
    const { principal, pipeline, searched } = this.parts;
    const trace = this.parts.meter.traces?.current;
    const decision = decide({ ...statement, principal, searched, parts: pipeline, trace });
    if (!(decision instanceof Promise)) return then(this.checked(decision));
    // The error that makes the engine skip may have come meanwhile.
    return decision.then((made) => (this.owed.isSkipping ? undefined : then(this.checked(made))));
  }

  private checked(made: Decision): Decision {
    const decision = this.prepared.onDecision(made);
    if (decision.action === 'forward') this.parts.onText(decision.classified);
    return decision;
  }

  // Simple protocol.

  private onQuery(raw: Buffer, decision: Decision): Promise<void> | undefined {
    switch (decision.action) {
      case 'forward':
        if (decision.endsPrepared) this.own.clear();
        this.unnamedPortal = undefined;
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
    this.parts.log.refused(error);
    this.failQuery(errorResponse(error));
  }

  private failQuery(response: Buffer): void {
    if (this.owed.isEmpty && !this.owed.isUnsynced && this.outlets.status() === 'idle') {
      this.outlets.toClient(Buffer.concat([response, readyForQuery('idle')]));
      this.parts.meter.ready('idle', true);
      return;
    }
    this.unnamedPortal = undefined;
    this.owed.push({ of: 'query', response });
    this.outlets.toEngine(refusedQuery);
  }

  private async answerQuery(
    statements: Extract<Decision, { action: 'answer' }>['statements'],
  ): Promise<void> {
    if (!(await this.caughtUp())) return;
    try {
      // PostgreSQL would end the batch's transaction here; we can't, and it must not be left open unnoticed.
      if (this.owed.isUnsynced) {
        throw new HatiError('protocol_violation', {
          params: { reason: 'a Query for HatiData between extended messages and their Sync' },
        });
      }
      for (const statement of statements) {
        this.checkNotFailed();
        this.outlets.toClient(await answerSimple(this.parts.ownAnswers, statement));
      }
      const status = this.outlets.status();
      this.outlets.toClient(readyForQuery(status));
      this.parts.meter.ready(status, true);
    } catch (error) {
      this.failQuery(this.parts.log.response(error));
    }
  }

  // Extended protocol.

  private takeParse(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const message = decodeParse(body);
    const { textBytes: text, parameterTypes } = message;
    if (Buffer.byteLength(message.name) > longestName) {
      const params = { name: message.name.slice(0, longestName), limit: longestName };
      return this.refuseParse(message.name, new HatiError('statement_name_too_long', { params }));
    }
    return this.judge({ text, parameterTypes }, (decision) => {
      switch (decision.action) {
        case 'forward': {
          // At Parse and not at Execute: such a statement is prepared to be run.
          if (decision.endsPrepared) this.own.clear();
          if (!this.own.isEmpty) {
            const refusal = attempt(() => this.own.yieldStatement(message.name));
            if (refusal !== undefined) return this.refuseParse(message.name, refusal);
          }
          const settle = this.prepared.parsed(message.name, {
            classified: decision.classified,
            parameterTypes,
          });
          const rewritten = decision.text;
          this.forward(rewritten === undefined ? raw : parse({ ...message, text: rewritten }), {
            of: 'parse',
            settle,
          });
          return undefined;
        }
        case 'refuse':
          return this.refuseParse(message.name, decision.error);
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
    const names = decodeBindNames(body);
    if (!this.own.isEmpty || this.prepared.areJudged) {
      if (this.own.hasStatement(names.statement)) return this.answer(() => this.own.bind(body));
      const refusal =
        attempt(() => this.own.yieldPortal(names.portal)) ??
        this.prepared.recheck(names.statement) ??
        this.prepared.checkValues(names.statement, body);
      if (refusal !== undefined) return this.refuse(refusal);
    }
    if (names.portal !== '') {
      this.forward(raw, 'bind');
      return undefined;
    }
    const portal: UnnamedPortal = { isBound: false, isInBatch: true };
    this.unnamedPortal = portal;
    this.forward(raw, {
      of: 'bind',
      settle: (done) => {
        portal.isBound = done;
        if (!done && this.unnamedPortal === portal) this.unnamedPortal = undefined;
      },
    });
    return undefined;
  }

  private takeDescribe(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const object = decodeObjectName(body, 'Describe');
    if (this.own.has(object)) return this.answer(() => this.own.describe(object));
    if (object.kind === 'portal' && object.name === '') return this.forwardUnnamed(raw, 'describe');
    this.forward(raw, 'describe');
    return undefined;
  }

  private takeExecute(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const message = decodeExecute(body);
    if (this.own.has({ kind: 'portal', name: message.portal }))
      return this.answer(() => this.own.execute(message));
    if (message.portal === '') return this.forwardUnnamed(raw, 'execute');
    this.forward(raw, 'execute');
    return undefined;
  }

  /**
   * What is for the unnamed portal goes on only where the client has bound it since the last Query. A Query has made one of its
   * own; where it failed in a transaction, PostgreSQL 18.4 still has that, with memory that is gone, and whoever executes it
   * brings all of PostgreSQL down.
   */
  private forwardUnnamed(raw: Buffer, of: 'describe' | 'execute'): Promise<void> | undefined {
    const portal = this.unnamedPortal;
    // An error may have kept the Bind of an earlier batch from happening.
    if (portal !== undefined && !portal.isBound && !portal.isInBatch)
      return this.caughtUp().then((goesOn) => (goesOn ? this.forwardUnnamed(raw, of) : undefined));
    if (portal === undefined && !this.owed.isSkipping)
      return this.refuse(new HatiError('portal_unknown', { params: { name: '' } }));
    this.forward(raw, of);
    return undefined;
  }

  private takeClose(raw: Buffer, body: Buffer): Promise<void> | undefined {
    if (this.own.isEmpty && !this.prepared.areJudged) {
      this.forward(raw, 'close');
      return undefined;
    }
    const name = decodeObjectName(body, 'Close');
    // Closing is allowed in a failed transaction, too.
    if (this.own.has(name)) return this.answer(() => this.own.close(name), 'always');
    if (name.kind === 'statement')
      this.forward(raw, { of: 'close', settle: this.prepared.closed(name.name) });
    else this.forward(raw, 'close');
    return undefined;
  }

  /**
   * The stand-in for a Parse is one, too: PostgreSQL lets go of the unnamed statement before it reads the text that was to
   * replace it.
   */
  private refuseParse(name: string, error: HatiError): undefined {
    if (name === '') attempt(() => this.own.yieldStatement(name));
    this.parts.log.refused(error);
    this.owed.push({ of: 'message', response: errorResponse(error) });
    this.outlets.toEngine(refusedParse(name));
    return undefined;
  }

  /** Refuses one message of an extended batch. */
  private refuse(error: HatiError): undefined {
    this.parts.log.refused(error);
    this.standIn(errorResponse(error));
    return undefined;
  }

  private standIn(response: Buffer): void {
    this.owed.push({ of: 'message', response });
    this.outlets.toEngine(refusedMessage);
  }

  /** Answers one message of an extended batch ourselves, in its turn. */
  private async answer(
    produce: () => Buffer | Promise<Buffer>,
    when: 'unlessFailed' | 'always' = 'unlessFailed',
  ): Promise<void> {
    if (!(await this.caughtUp())) return;
    try {
      if (when === 'unlessFailed') this.checkNotFailed();
      this.outlets.toClient(await produce());
    } catch (error) {
      this.standIn(this.parts.log.response(error));
    }
  }

  /**
   * Waits until the engine has answered all that it was sent.
   * @returns false when it will discard what comes until the next Sync, or the session is over.
   */
  private async caughtUp(): Promise<boolean> {
    if (!this.owed.isEmpty) {
      this.outlets.toEngine(flush);
      this.outlets.flushToEngine();
      await this.owed.drained();
    }
    return !this.owed.isSkipping && !this.outlets.isOver();
  }

  private checkNotFailed(): void {
    if (this.outlets.status() === 'failed') throw new HatiError('transaction_aborted');
  }
}

interface UnnamedPortal {
  /** The engine has said so. */
  isBound: boolean;
  /** No Sync came behind it: were it refused, so would be what uses it. */
  isInBatch: boolean;
}

/** PostgreSQL answers a body with an error, which nothing that we wait for would explain. */
function requireEmpty(body: Buffer, message: string): void {
  if (body.length > 0)
    throw new HatiError('protocol_violation', { params: { reason: `${message} with a body` } });
}

/** PostgreSQL compares no more bytes of a prepared statement's name than NAMEDATALEN - 1: two longer ones may be one. */
const longestName = 63;

function attempt(act: () => void): HatiError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof HatiError) return error;
    throw error;
  }
}
