/**
 * PostgreSQL's stderr, line by line, into our log. The settings keep statements and values out of it (settings.ts);
 * lines that could hold them all the same (STATEMENT, DETAIL, … and what continues them) are dropped here.
 */
import type { Readable } from 'node:stream';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';

type Level = 'info' | 'warn' | 'error' | 'fatal';

const levels: Readonly<Record<string, Level>> = {
  LOG: 'info',
  INFO: 'info',
  NOTICE: 'info',
  WARNING: 'warn',
  ERROR: 'warn',
  FATAL: 'warn',
  PANIC: 'fatal',
};

const mayQuoteClients: ReadonlySet<string> = new Set(['STATEMENT', 'QUERY', 'CONTEXT', 'DETAIL']);

/** The last lines, for the sentence that explains why a server did not start. */
const rememberedLines = 40;

export function relayServerLog(stderr: Readable, log: Logger): { lines: readonly string[] } {
  const lines: string[] = [];
  let level: Level | undefined = 'info';
  createInterface({ input: stderr, crlfDelay: Infinity }).on('line', (line) => {
    const match = line.match(/^(\d+) ([0-9A-Z]{5}) ([A-Z]+): {2}(.*)$/);
    const [, pid, sqlstate, severity, message] = match ?? [];
    if (severity !== undefined) {
      level = mayQuoteClients.has(severity) ? undefined : (levels[severity] ?? 'info');
    } else if (!line.startsWith('\t')) {
      // Not PostgreSQL's own format: the dynamic loader, an allocator, a sanitizer.
      level = 'warn';
    }
    if (level === undefined) return;
    lines.push(message ?? line);
    if (lines.length > rememberedLines) lines.shift();
    if (severity === undefined) log[level](line.trim());
    else log[level]({ serverPid: Number(pid), sqlstate }, message);
  });
  return { lines };
}
