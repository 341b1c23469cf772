import { inWordsOfClient } from '../engine/pool/engine-statement.ts';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { DefinitionCount } from '../ports.ts';
import { backendMessage, errorResponse } from '../wire/backend-messages.ts';
import { errorField, isFatal, isStale } from '../wire/error-fields.ts';
import { Backend, transactionStatus, type TransactionStatus } from '../wire/protocol.ts';
import type { ClientMessages } from './client-messages.ts';
import type { EngineHold } from './engine-hold.ts';
import type { ReportedParameters } from './reported-parameters.ts';
import { nothing } from './expected.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { SessionLog } from './session-log.ts';

export interface EngineAnswersParts {
  readonly owed: ResponseQueue;
  readonly hold: EngineHold;
  readonly messages: Pick<ClientMessages, 'endOfTransaction' | 'engineFailed' | 'nameOf'>;
  readonly parameters: ReportedParameters;
  readonly log: SessionLog;
  readonly meter: SessionMeter;
  readonly pipeline: {
    /** Told where a definition that a plan was made of has changed. */
    readonly definitions: Pick<DefinitionCount, 'noticed'>;
  };
  readonly reader: {
    /** A message of the client's is being dealt with. */
    readonly isBusy: boolean;
  };
  readonly ending: {
    /** @returns what the client gets in place of the engine's last words; undefined for those. */
    onFatal(): Buffer | undefined;
  };
  readonly rest: {
    /** The client is between two transactions, and nothing of its is on the connection. */
    isFree(): boolean;
  };
  /** The session can't go on. */
  end(error: HatiError): Promise<void>;
}

/** What the engine says, and what the client gets of it. */
export class EngineAnswers {
  /** As of the last ReadyForQuery. */
  status: TransactionStatus = 'idle';
  transactionsOver = 0;
  private readonly parts: EngineAnswersParts;
  /** What the client is told in place of the engine's words when the statement at work is found cancelled. */
  private cancelled: { readonly error: HatiError; readonly progress: number } | undefined;

  constructor(parts: EngineAnswersParts) {
    this.parts = parts;
  }

  /** The statement at work is about to be cancelled for this reason, which the engine does not know. */
  cancelling(error: HatiError): void {
    this.cancelled = { error, progress: this.parts.owed.progress };
  }

  /** What the statement at work was cancelled for, where it is known; where it was the client, PostgreSQL's words. */
  takeReason(): HatiError {
    const { cancelled } = this;
    this.cancelled = undefined;
    return cancelled?.error ?? new HatiError('query_canceled');
  }

  /** @returns what goes to the client in its place; undefined for itself. */
  onMessage(type: number, body: Buffer): Buffer | undefined {
    const { owed, hold, parameters, ending } = this.parts;
    switch (type) {
      case Backend.ReadyForQuery:
        return this.onReady(body);
      case Backend.ErrorResponse:
        if (!isFatal(body)) return this.onError(body);
        // Nothing of the client's is on it: another one takes its place.
        return this.parts.rest.isFree() ? nothing : ending.onFatal();
      case Backend.ParameterStatus: {
        const unsafe = parameters.changed(hold.current, body);
        if (unsafe !== undefined) setImmediate(() => void this.parts.end(unsafe));
        return undefined;
      }
      default:
        return owed.onHeader(type, body);
    }
  }

  private onReady(body: Buffer): Buffer | undefined {
    const { owed, meter, messages, reader } = this.parts;
    this.status = transactionStatus(body[0]);
    if (this.status === 'idle') this.transactionsOver += 1;
    const shown = owed.onReady();
    // One that is kept from the client ends nothing of his.
    if (shown === undefined) meter.ready(this.status, owed.isEmpty && !reader.isBusy);
    if (this.status === 'idle') messages.endOfTransaction();
    return shown;
  }

  private onError(body: Buffer): Buffer | undefined {
    const { owed, hold, messages, pipeline } = this.parts;
    // The engine has it no more as we think that it has it.
    if (isStale(body)) {
      hold.current?.statements.doubt();
      if (errorField(body, 'C') === '0A000') pipeline.definitions.noticed();
    }
    const ours = this.reasonOfCancel(body);
    const shown = owed.onError();
    messages.engineFailed(body);
    if (shown !== undefined || ours !== undefined) return shown ?? ours;
    const theirs = inWordsOfClient(body, (name) => messages.nameOf(name));
    return theirs === body ? undefined : backendMessage(Backend.ErrorResponse, theirs);
  }

  private reasonOfCancel(body: Buffer): Buffer | undefined {
    const { cancelled } = this;
    if (cancelled === undefined || errorField(body, 'C') !== cancelled.error.sqlstate)
      return undefined;
    this.cancelled = undefined;
    if (cancelled.progress !== this.parts.owed.progress) return undefined;
    this.parts.log.refused(cancelled.error);
    return errorResponse(cancelled.error);
  }
}
