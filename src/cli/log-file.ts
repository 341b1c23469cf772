import { createReadStream, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { formatLogLine } from './log-format.ts';

const rotateBytes = 10 * 1024 * 1024;

/**
 * Makes room for the background proxy's log: what came before is kept, one file of it once it has grown.
 * @returns where the next run's lines begin
 */
export function prepareLog(path: string): number {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  if (sizeOf(path) > rotateBytes) renameSync(path, `${path}.1`);
  return sizeOf(path);
}

export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

/** The last `count` lines. */
export function lastLines(path: string, count: number): string[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  if (lines.at(-1) === '') lines.pop();
  return count === 0 ? [] : lines.slice(-count);
}

/**
 * What explains that a proxy ended: what it printed itself and its errors, from `offset` on; the last lines of any
 * kind when there is neither.
 */
export function explainingLines(path: string, offset: number): string[] {
  const lines = readFileSync(path).subarray(offset).toString('utf8').split('\n').filter(Boolean);
  const said = lines.findIndex((line) => line.startsWith('hati: '));
  if (said !== -1) return lines.slice(said);
  const telling = lines.filter((line) => !/^\{.*"level":"(?:info|debug|trace|warn)"/.test(line));
  return (telling.length > 0 ? telling : lines).slice(-5).map(formatLogLine);
}

/** Text appended from `offset` on, to the end of the file as it is now. */
export async function readFrom(path: string, offset: number): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of createReadStream(path, { start: offset })) {
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
