/**
 * PostgreSQL's stderr, line by line, into our log.
 *
 * Rule: nothing a client said gets there. An ordinary error quotes values (invalid input syntax for type integer: "…"),
 * its details whole rows, and RAISE LOG whatever it likes; so of the processes that work with clients' data only their
 * fatal ends are logged, and of the errors that concern the machine the code. What the postmaster and its housekeeping
 * processes say is logged as it is, except for the kinds of lines that quote statements.
 */
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Logger } from 'pino';

type Level = 'info' | 'warn' | 'fatal';

/** Which process, which SQLSTATE, which type of process: what the lines begin with (log_line_prefix). */
export const linePrefix = '%p %e [%b] ';

const levels: Readonly<Record<string, Level>> = {
  LOG: 'info',
  WARNING: 'warn',
  ERROR: 'warn',
  FATAL: 'warn',
  PANIC: 'fatal',
};

/** These never see a value of a client's. */
const housekeeping: ReadonlySet<string> = new Set([
  'postmaster',
  'startup',
  'checkpointer',
  'background writer',
  'walwriter',
  'io worker',
  'autovacuum launcher',
]);

/** Insufficient resources, system errors, damaged data (appendix A of the manual). */
const concernsTheMachine = /^(?:53|58|XX00[12])/;

/** The last lines, for the sentence that explains why a server did not start. */
const rememberedLines = 40;

export function relayServerLog(stderr: Readable, log: Logger): { lines: readonly string[] } {
  const lines: string[] = [];
  let continued: Level | undefined;
  const write = (level: Level, message: string, details: object = {}) => {
    lines.push(message);
    if (lines.length > rememberedLines) lines.shift();
    log[level](details, message);
  };
  createInterface({ input: stderr, crlfDelay: Infinity }).on('line', (line) => {
    // A message of several lines goes on with a tab, so none can pass for another's beginning.
    if (line.startsWith('\t')) {
      if (continued !== undefined) write(continued, line.trim());
      return;
    }
    const [, serverPid, sqlstate = '', process = '', severity = '', message = ''] =
      line.match(/^(\d+) ([0-9A-Z]{5}) \[([^\]]*)\] ([A-Z]+): {2}(.*)$/) ?? [];
    const details = { serverPid: Number(serverPid), sqlstate, process };
    const level = levels[severity];
    continued = undefined;
    if (serverPid === undefined) {
      // Not PostgreSQL's own format: the dynamic loader, an allocator.
      write('warn', line);
    } else if (level === undefined) {
      // DETAIL, CONTEXT, STATEMENT, …
    } else if (housekeeping.has(process) || severity === 'FATAL' || severity === 'PANIC') {
      continued = level;
      write(level, message, details);
    } else if (concernsTheMachine.test(sqlstate)) {
      write(level, 'PostgreSQL could not carry out a statement', details);
    }
  });
  return { lines };
}
