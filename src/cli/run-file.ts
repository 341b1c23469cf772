/**
 * `.hati/run/proxy.json`: which process serves this project, and where.
 *
 * The file is claimed before the proxy starts (created exclusively, without a port) and completed once it accepts
 * connections. A file whose process is gone means nothing: a pid alone would not do, since pids are used again, so the
 * kernel's start time of the process is compared where it is known.
 */
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

export interface RunRecord {
  readonly pid: number;
  /** ISO 8601. */
  readonly startedAt: string;
  /** Clock ticks from boot to the start of the process; null where the system doesn't tell. */
  readonly processStart: string | null;
  /** Absent while the proxy is starting. */
  readonly address?: { readonly host: string; readonly port: number };
  readonly dataDirectory?: string;
  /** Where it tells metrics and readiness; absent where it does not. */
  readonly metrics?: { readonly host: string; readonly port: number };
  /** Where the control plane answers; absent where there is none. */
  readonly api?: { readonly host: string; readonly port: number; readonly hasTls?: boolean };
  /** The socket on which `hati restart` and `hati reload` ask. */
  readonly control?: string;
  /** How long its clients may go on with their transactions when it is told to stop. */
  readonly drainSeconds?: number;
}

/** What is known once it serves. */
export type ServedRecord = Required<Pick<RunRecord, 'address'>> &
  Pick<RunRecord, 'dataDirectory' | 'metrics' | 'api' | 'control' | 'drainSeconds'>;

/** The record of a process that is alive. */
export function readRunRecord(path: string): RunRecord | undefined {
  const record = parseRecord(path);
  return record !== undefined && isRunning(record) ? record : undefined;
}

/**
 * Makes this process the one that serves the project.
 * @returns the record of another process that already does, or `undefined` when the claim succeeded
 */
export function claimRunFile(path: string): RunRecord | undefined {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const own = `${path}.${process.pid}`;
  writeFileSync(own, JSON.stringify(ownRecord()), { mode: 0o600 });
  try {
    for (;;) {
      // A link appears with its contents, so that nobody reads a claim half written and takes it for a dead one.
      if (linkExclusively(own, path)) return undefined;
      const other = readRunRecord(path);
      if (other !== undefined) return other;
      rmSync(path, { force: true });
    }
  } finally {
    rmSync(own, { force: true });
  }
}

/** Completes this process's claim, or changes it; readers see the old record or the whole new one. */
export function publishRunRecord(path: string, served: ServedRecord): void {
  const next = `${path}.${process.pid}`;
  const { startedAt } = parseRecord(path) ?? ownRecord();
  const record: RunRecord = { ...ownRecord(), startedAt, ...served };
  writeFileSync(next, JSON.stringify(record), { mode: 0o600 });
  renameSync(next, path);
}

/** Withdraws this process's own claim, and nobody else's. */
export function releaseRunFile(path: string): void {
  const record = parseRecord(path);
  if (record?.pid === process.pid) rmSync(path, { force: true });
}

export function isRunning({ pid, processStart }: Pick<RunRecord, 'pid' | 'processStart'>): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it exists and belongs to somebody else.
    if (!(error instanceof Error && 'code' in error && error.code === 'EPERM')) return false;
  }
  const start = processStartOf(pid);
  return processStart === null || start === processStart;
}

function linkExclusively(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

function ownRecord(): RunRecord {
  return {
    pid: process.pid,
    startedAt: new Date().toISOString(),
    processStart: processStartOf(process.pid),
  };
}

/** Field 22 of /proc/PID/stat; the second field may hold spaces and brackets, so counting starts after it. */
function processStartOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; its parent merely hasn't collected it.
    return fields[0] === 'Z' ? null : (fields[19] ?? null);
  } catch {
    return null;
  }
}

function parseRecord(path: string): RunRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    // Not there, or torn by a crash: either way it names nobody.
    return undefined;
  }
  return isRunRecord(value) ? value : undefined;
}

function isRunRecord(value: unknown): value is RunRecord {
  if (typeof value !== 'object' || value === null) return false;
  const { pid, startedAt, processStart, address, metrics, api, control, drainSeconds } =
    value as Partial<Record<keyof RunRecord, unknown>>;
  return (
    Number.isInteger(pid) &&
    Number(pid) > 0 &&
    typeof startedAt === 'string' &&
    (processStart === null || typeof processStart === 'string') &&
    (address === undefined || isAddress(address)) &&
    (metrics === undefined || isAddress(metrics)) &&
    (api === undefined || isAddress(api)) &&
    (control === undefined || typeof control === 'string') &&
    (drainSeconds === undefined || typeof drainSeconds === 'number')
  );
}

function isAddress(value: unknown): value is { host: string; port: number } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'host' in value &&
    typeof value.host === 'string' &&
    'port' in value &&
    typeof value.port === 'number'
  );
}
