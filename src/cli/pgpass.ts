/**
 * libpq (psql, psycopg, most BI tools) gives up by itself when a server asks for a password and none is known, and the
 * proxy must ask, since that is how a key arrives. So in dev mode the client's own password file is told the password
 * that stands for "no key", for our port on this machine only, between two marker lines.
 *
 * The file is the user's: their lines stay as they are and come first, so that libpq, which takes the first line that
 * fits, prefers them. https://www.postgresql.org/docs/current/libpq-pgpass.html
 */
import {
  chmodSync,
  chownSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';

/** Stands for "no key" in dev mode, exactly as an empty password does. */
export const keylessPassword = 'hd_local';

const hosts = ['localhost', '127.0.0.1', '::1'] as const;

export function pgpassPath(
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  return env['PGPASSFILE'] || join(home, '.pgpass');
}

/**
 * @param owner names the project: a block that it left behind, killed on another port, is replaced
 * @throws what the file system throws; the caller logs it and goes on.
 */
export function addPgpassBlock(path: string, owner: string, port: number): void {
  const before = readLines(path);
  const lines = withoutBlock(before, owner);
  const missing = hosts.filter((host) => !lines.some((line) => coversEverything(line, host, port)));
  const block = missing.map(
    (host) => `${host.replaceAll(':', '\\:')}:${port}:*:*:${keylessPassword}`,
  );
  if (block.length > 0) lines.push(beginMarker(owner), ...block, endMarker(owner));
  if (lines.join('\n') !== before.join('\n')) replaceFile(path, lines);
}

/** @throws what the file system throws. */
export function removePgpassBlock(path: string, owner: string): void {
  const before = readLines(path);
  const lines = withoutBlock(before, owner);
  if (lines.length !== before.length) replaceFile(path, lines);
}

function beginMarker(owner: string): string {
  return `# >>> hatidata: keyless local connections while its proxy runs: ${owner}`;
}

function endMarker(owner: string): string {
  return `# <<< hatidata: ${owner}`;
}

function readLines(path: string): string[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** A begin marker without its end is left alone: what follows it may be the user's. */
function withoutBlock(lines: readonly string[], owner: string): string[] {
  const end = lines.indexOf(endMarker(owner));
  const begin = end === -1 ? -1 : lines.lastIndexOf(beginMarker(owner), end);
  return begin === -1 ? [...lines] : [...lines.slice(0, begin), ...lines.slice(end + 1)];
}

/** Whether a line of the user's already answers for every database and user of this host and port. */
function coversEverything(line: string, host: string, port: number): boolean {
  if (line.startsWith('#')) return false;
  const [lineHost, linePort, database, user, password] = splitFields(line);
  return (
    // Another proxy's line goes when that proxy stops.
    password !== keylessPassword &&
    (lineHost === '*' || lineHost === host) &&
    (linePort === '*' || linePort === String(port)) &&
    database === '*' &&
    user === '*'
  );
}

/** Fields are separated by colons; a backslash makes the next character an ordinary one. */
function splitFields(line: string): string[] {
  return (line.match(/(?:^|:)(?:\\.|[^:\\])*/g) ?? []).map((field, index) =>
    (index === 0 ? field : field.slice(1)).replace(/\\(.)/g, '$1'),
  );
}

/** All or nothing: written beside the file and moved over it, with the owner it had (or the directory's). libpq insists on mode 0600. */
function replaceFile(path: string, lines: readonly string[]): void {
  const target = existing(path);
  if (lines.length === 0 && target !== undefined && target.path === path) {
    rmSync(path);
    return;
  }
  const next = `${target?.path ?? path}.hatidata-${process.pid}`;
  try {
    writeFileSync(next, lines.map((line) => `${line}\n`).join(''), { mode: 0o600, flag: 'wx' });
    chmodSync(next, 0o600);
    if (process.getuid?.() === 0) {
      const { uid, gid } = target ?? statSync(dirname(path));
      chownSync(next, uid, gid);
    }
    renameSync(next, target?.path ?? path);
  } catch (error) {
    rmSync(next, { force: true });
    throw error;
  }
}

/** The file behind a symbolic link, so that the link stays one. */
function existing(path: string): { path: string; uid: number; gid: number } | undefined {
  try {
    const real = realpathSync(path);
    const { uid, gid } = statSync(real);
    return { path: real, uid, gid };
  } catch {
    return undefined;
  }
}
