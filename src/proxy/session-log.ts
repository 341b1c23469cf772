import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import type { Pin, PinReason } from '../policy/pins.ts';
import type { Actor } from '../ports.ts';
import { errorResponse } from '../wire/backend-messages.ts';
import { EngineError } from '../wire/engine-error.ts';

export interface SessionLogParts {
  /** Of all sessions. */
  readonly log: Logger;
  readonly meter: SessionMeter;
  /** Its number in the log. */
  readonly id: number;
  readonly actor: Actor;
  /** Told when the session begins to keep its engine connection. */
  readonly onPin: (reason: PinReason) => void;
}

/** Refusals of one session that are logged one by one. */
const loggedRefusals = 100;

/** What becomes of an error: the client reads what it may, the log keeps the rest. */
export class SessionLog {
  private readonly parts: SessionLogParts;
  private own: Logger | undefined;
  private refusals = 0;

  constructor(parts: SessionLogParts) {
    this.parts = parts;
  }

  /** Every line of it says whose it is. Most sessions write none. */
  get lines(): Logger {
    const { log, id, actor } = this.parts;
    const { principal, source } = actor;
    this.own ??= log.child({ session: id, agent: principal.agent, source });
    return this.own;
  }

  debug(fields: object, message: string): void {
    if (this.parts.log.isLevelEnabled('debug')) this.lines.debug(fields, message);
  }

  pinned({ reason, detail }: Pin): void {
    this.parts.onPin(reason);
    this.debug({ reason, detail }, 'the session keeps its engine connection');
  }

  /** Notes that something was refused; never the text that was. */
  refused({ code, sqlstate, blame, cause }: HatiError): void {
    this.refusals += 1;
    this.parts.meter.refused(code);
    // One session must not fill the disk with its refusals.
    const level = this.refusals <= loggedRefusals ? 'info' : 'trace';
    this.lines[level]({ code, sqlstate, blame, cause }, 'refused');
    if (this.refusals === loggedRefusals) {
      this.lines.info('further refusals of this session are not logged');
    }
  }

  /** A typed error in its own words; everything else becomes a reference to the log. Noted either way. */
  known(error: unknown): HatiError {
    if (error instanceof HatiError) {
      this.refused(error);
      return error;
    }
    const reference = randomUUID();
    this.lines.error({ err: error, reference }, 'internal error');
    this.parts.meter.refused('internal');
    return new HatiError('internal', { params: { reference } });
  }

  /** The ErrorResponse for the client. What a PostgreSQL said to its statement is passed on as it is. */
  response(error: unknown): Buffer {
    return error instanceof EngineError ? error.response : errorResponse(this.known(error));
  }
}
