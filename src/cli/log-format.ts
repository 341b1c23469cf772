import { Writable } from 'node:stream';
import type { Output } from './context.ts';

/** A log line for people: time, level, message, then whatever else the record holds. Other text stays as it is. */
export function formatLogLine(line: string): string {
  let record: unknown;
  try {
    record = JSON.parse(line);
  } catch {
    return line;
  }
  if (typeof record !== 'object' || record === null || !('msg' in record)) return line;
  const { time, level, msg, pid: _pid, err, ...rest } = record as Record<string, unknown>;
  const clock = typeof time === 'string' ? time.slice(11, 23) : '';
  const details = Object.entries(rest).map(([name, value]) => `${name}=${inline(value)}`);
  const cause = messageOf(err);
  if (cause !== undefined && cause !== msg) details.unshift(cause);
  return [clock, String(level).toUpperCase().padEnd(5), inline(msg), ...details].join(' ').trim();
}

/** A destination for the logger that writes such lines. */
export function prettyDestination(output: Output): Writable {
  return new Writable({
    decodeStrings: false,
    write(chunk: Buffer | string, _encoding, callback): void {
      const lines = String(chunk).trimEnd().split('\n');
      // A fault of the output is for whoever listens to the output.
      output.write(`${lines.map(formatLogLine).join('\n')}\n`, () => callback());
    },
  });
}

function inline(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function messageOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : undefined;
}
