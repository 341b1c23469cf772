import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { errorResponse } from '../wire/backend-messages.ts';
import { EngineError } from '../wire/engine-error.ts';

/** Refusals of one session that are logged one by one. */
const loggedRefusals = 100;

/** What becomes of an error: the client reads what it may, the log keeps the rest. */
export class SessionLog {
  private readonly log: Logger;
  private readonly meter: SessionMeter;
  private refusals = 0;

  constructor(log: Logger, meter: SessionMeter) {
    this.log = log;
    this.meter = meter;
  }

  /** Notes that something was refused; never the text that was. */
  refused({ code, sqlstate, blame, cause }: HatiError): void {
    this.refusals += 1;
    this.meter.refused(code);
    // One session must not fill the disk with its refusals.
    const level = this.refusals <= loggedRefusals ? 'info' : 'trace';
    this.log[level]({ code, sqlstate, blame, cause }, 'refused');
    if (this.refusals === loggedRefusals) {
      this.log.info('further refusals of this session are not logged');
    }
  }

  /** A typed error in its own words; everything else becomes a reference to the log. Noted either way. */
  known(error: unknown): HatiError {
    if (error instanceof HatiError) {
      this.refused(error);
      return error;
    }
    const reference = randomUUID();
    this.log.error({ err: error, reference }, 'internal error');
    this.meter.refused('internal');
    return new HatiError('internal', { params: { reference } });
  }

  /** The ErrorResponse for the client. What a PostgreSQL said to its statement is passed on as it is. */
  response(error: unknown): Buffer {
    return error instanceof EngineError ? error.response : errorResponse(this.known(error));
  }
}
