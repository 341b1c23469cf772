import { pino } from 'pino';
import type { DestinationStream, Level, Logger } from 'pino';
import { redactSecrets } from './redact.ts';

export type { Logger } from 'pino';

export interface LoggerOptions {
  readonly level: Level;
  /** Where lines go; standard output unless said otherwise. */
  readonly destination?: DestinationStream;
}

/**
 * One JSON object a line. Redaction happens on the finished line, after every serializer, so that a secret inside an
 * error's message, its cause or its stack is caught like any other.
 */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      hooks: { streamWrite: redactSecrets },
    },
    destination ?? pino.destination(1),
  );
}
