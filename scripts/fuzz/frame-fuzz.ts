/**
 * Sessions whose bytes were tampered with. Whatever is sent: the proxy lives, the session ends or answers in time and in
 * order, the same however the bytes were cut, and nobody gets in without the key.
 */
import { frontend } from '../../test/fixtures/raw-client.ts';
import { FrameClient } from './frame-client.ts';
import type { FuzzProxy } from './fuzz-proxy.ts';
import { chunked, mutatedFrames } from './mutate-frames.ts';
import { faultIn, streamOf, transcript } from './protocol-model.ts';
import type { Random } from './random.ts';
import { greetings, recorded } from './recorded.ts';
import { errorField } from '../../src/wire/error-fields.ts';

export const frameKinds = ['split', 'session', 'greeting'] as const;
export type FrameKind = (typeof frameKinds)[number];

export interface FrameCase {
  readonly kind: FrameKind;
  /** What is sent, after login unless it is a greeting. */
  readonly frames: readonly Buffer[];
  /** The same bytes as they are cut the second time. */
  readonly chunks: readonly Buffer[];
}

const sessions = Object.values(recorded);
const allFrames = sessions.flat();
const deadlineMs = 8_000;
/** `limits.messageBytes` of the test's proxy. */
const mostBytes = 64 * 1024 * 1024;
const authenticationOk = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0]);

export function frameCase(kind: FrameKind, key: string, random: Random): FrameCase {
  const frames = framesOf(kind, key, random);
  return { kind, frames, chunks: chunked(Buffer.concat(frames), random) };
}

function framesOf(kind: FrameKind, key: string, random: Random): readonly Buffer[] {
  if (kind === 'split') return random.pick(sessions);
  if (kind === 'session') return mutatedFrames(random.pick(sessions), allFrames, random);
  const greeting = random.pick(Object.values(greetings(key)));
  return random.chance(0.1) ? greeting : mutatedFrames(greeting, greeting, random);
}

/**
 * Whether every socket is gone that a case has opened, on either side: client and proxy are in this process.
 * @param before how many there were
 */
export async function socketsClosed(before: number, ms: number): Promise<boolean> {
  const end = Date.now() + ms;
  while (openSockets() > before) {
    if (Date.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return true;
}

/** How many are open once nothing closes any more. */
export async function settledSockets(): Promise<number> {
  for (let count = openSockets(); ; count = openSockets()) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    if (openSockets() === count) return count;
  }
}

export function openSockets(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;
}

/** What is wrong, or undefined. */
export async function tryFrames(
  { kind, frames, chunks }: FrameCase,
  proxy: FuzzProxy,
): Promise<string | undefined> {
  if (kind === 'greeting') return await tryGreeting(chunks, proxy);
  const whole = await session([Buffer.concat(frames)], proxy);
  if (whole.fault !== undefined) return whole.fault;
  const pieces = await session(chunks, proxy);
  if (pieces.fault !== undefined) return `in pieces: ${pieces.fault}`;
  const withValues = kind === 'split';
  const [first = [], second = []] = [whole, pieces].map(({ answers }) =>
    transcript(answers, withValues),
  );
  return difference(first, second, !streamOf(Buffer.concat(frames), mostBytes).isSound);
}

interface SessionResult {
  readonly fault: string | undefined;
  readonly answers: FrameClient['received'];
}

const sentinel = [frontend.sync(), frontend.query('ROLLBACK'), frontend.query("SELECT 'sentinel'")];

async function session(chunks: readonly Buffer[], proxy: FuzzProxy): Promise<SessionResult> {
  const client = new FrameClient(proxy.port);
  try {
    if (!(await login(client, proxy.key))) return { fault: 'no login', answers: [] };
    const begin = client.received.length;
    const { frames, isSound } = streamOf(Buffer.concat(chunks), mostBytes);
    await client.send(isSound ? [...chunks, ...sentinel] : chunks);
    const answers = (): FrameClient['received'] => client.received.slice(begin);
    const sent = isSound ? [...frames, ...sentinel] : frames;
    if (isSound) await client.until(() => client.isOver || isSaid(answers()), deadlineMs);
    // What is incomplete waits for the rest; the answers to what came before it are due.
    else await client.until(() => client.isOver || isComplete(sent, answers()), 300);
    const isOverByItself = client.isOver;
    const fault = faultIn(sent, answers(), isOverByItself || !isSound) ?? internalError(answers());
    client.endInput();
    if (!(await client.until(() => client.isOver, deadlineMs)))
      return { fault: 'the session does not end', answers: answers() };
    return { fault, answers: answers() };
  } finally {
    client.close();
  }
}

function isSaid(answers: FrameClient['received']): boolean {
  const row = answers.findLastIndex(({ type, body }) => type === 'D' && body.includes('sentinel'));
  return row >= 0 && answers.slice(row).some(({ type }) => type === 'Z');
}

function isComplete(frames: readonly Buffer[], answers: FrameClient['received']): boolean {
  return faultIn(frames, answers, false) === undefined;
}

async function login(client: FrameClient, key: string): Promise<boolean> {
  client.asMessages();
  const options = { user: 'agent', database: 'hatidata', statement_timeout: '2000' };
  await client.send([Buffer.concat([frontend.startup(options), frontend.password(key)])]);
  const isReady = (): boolean => client.received.some(({ type }) => type === 'Z');
  return (await client.until(() => client.isOver || isReady(), deadlineMs)) && isReady();
}

async function tryGreeting(
  chunks: readonly Buffer[],
  proxy: FuzzProxy,
): Promise<string | undefined> {
  const client = new FrameClient(proxy.port);
  try {
    await client.send(chunks);
    const isIn = (): boolean => client.raw.includes(authenticationOk);
    await client.until(() => client.isOver || isIn(), 100);
    const hasKey = Buffer.concat(chunks).includes(`${proxy.key}\0`);
    if (isIn() && !hasKey) return 'let in without the key';
    client.endInput();
    if (!(await client.until(() => client.isOver, deadlineMs)))
      return 'the connection does not end';
    return isIn() && !hasKey ? 'let in without the key' : internalText(client.raw);
  } finally {
    client.close();
  }
}

/** A fault of the proxy's own. PostgreSQL has XX000 as well, and says which of its routines it came from. */
function internalError(answers: FrameClient['received']): string | undefined {
  const internal = answers.find(
    ({ type, body }) =>
      type === 'E' && errorField(body, 'C') === 'XX000' && errorField(body, 'R') === undefined,
  );
  return internal && `internal error: ${errorField(internal.body, 'M')}`;
}

function internalText(raw: Buffer): string | undefined {
  return raw.includes('CXX000\0') ? 'internal error before login' : undefined;
}

/** A violation of the protocol ends the session at once; what was sent ahead of it may then stay without an answer. */
function difference(
  whole: readonly string[],
  pieces: readonly string[],
  endsEarly: boolean,
): string | undefined {
  const [first, second] = [withoutFatal(whole), withoutFatal(pieces)];
  const haveEnded = endsEarly || (first.length < whole.length && second.length < pieces.length);
  const common = Math.min(first.length, second.length);
  const at = first.findIndex((line, index) => index < common && line !== second[index]);
  if (at < 0 && (haveEnded || whole.length === pieces.length)) return undefined;
  const shown = [whole, pieces].map((lines) => lines.slice(Math.max(at, 0)).join(', '));
  return `cut differently: ${shown.map((line) => line.slice(0, 200)).join(' or ')}`;
}

function withoutFatal(lines: readonly string[]): readonly string[] {
  return lines.at(-1)?.startsWith('FATAL ') ? lines.slice(0, -1) : lines;
}
