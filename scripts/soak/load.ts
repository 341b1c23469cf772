/** What every kind of client has: its number, where it is, its key, and the books that it writes into. */
import pg from 'pg';
import type { Ledger } from './ledger.ts';
import type { Books, Place } from './record.ts';

export interface Load {
  readonly record: Books;
  readonly ledger: Ledger;
  readonly ending: AbortSignal;
}

export interface Client {
  readonly load: Load;
  readonly place: Place;
  /** Of this client alone: its row, its setting, its number in the ledger. */
  readonly id: number;
  readonly who: string;
  /** Asked for at each connect, since it may have been rotated. */
  readonly key: () => string;
}

const answerMs = 45_000;

export const sleep = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, ms));

/** A whole number below `bound`. */
export const any = (bound: number): number => Math.floor(Math.random() * bound);

/** Works again and again until the end of the run; a `work` that fails is an error, expected or not. */
export async function keepAt(
  client: Client,
  kind: string,
  work: (client: Client) => Promise<void>,
  pauseMs = 20,
): Promise<void> {
  const { load, place, who } = client;
  while (!load.ending.aborted) {
    try {
      await work(client);
      load.record.done(kind);
    } catch (error) {
      if (error instanceof WrongAnswer) load.record.wrong(who, error.message);
      else load.record.failed(who, place, error);
      await sleep(100);
    }
    await sleep(any(pauseMs));
  }
}

export class WrongAnswer extends Error {}

export function same(what: string, got: unknown, wanted: unknown): void {
  const [is, should] = [JSON.stringify(got), JSON.stringify(wanted)];
  if (is !== should) throw new WrongAnswer(`${what}: ${is}, and not ${should}`);
}

/** An answer that does not come is a wrong one. */
export async function soon<T>(what: string, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new WrongAnswer(`${what}: no answer within ${answerMs / 1_000} s`)),
      answerMs,
    );
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Must fail with this code. */
export async function refused(what: string, answer: Promise<unknown>, code: string): Promise<void> {
  try {
    await answer;
  } catch (error) {
    if ((error as { code?: string }).code === code) return;
    throw error;
  }
  throw new WrongAnswer(`${what}: no error ${code}`);
}

/** A connection of Node pg for as long as `use` takes. */
export async function withPg(
  { load, place, key }: Client,
  use: (ask: Ask, client: pg.Client) => Promise<void>,
  more: pg.ClientConfig = {},
): Promise<void> {
  const client = new pg.Client({
    ...{
      host: '127.0.0.1',
      port: place.port,
      user: 'agent',
      password: key(),
      database: 'hatidata',
    },
    ssl: false,
    ...more,
  });
  // What ended it says more than what its next query fails with.
  let end: Error | undefined;
  client.on('error', (error) => (end ??= error));
  load.record.connects += 1;
  const ask: Ask = async (query, values) => {
    load.record.statements += 1;
    const asked = typeof query === 'string' ? { text: query } : query;
    const { rows } = await soon(
      asked.text,
      client.query<unknown[]>({ ...asked, rowMode: 'array', ...(values ? { values } : {}) }),
    );
    return rows?.[0]?.[0];
  };
  try {
    await soon('connect', client.connect());
    await use(ask, client);
  } catch (error) {
    if (error instanceof WrongAnswer || end === undefined) throw error;
    const told = (error as { code?: string }).code;
    throw told === undefined || !/^[0-9A-Z]{5}$/.test(told) ? end : error;
  } finally {
    await Promise.race([client.end().catch(() => undefined), sleep(1_000)]);
    (
      client as unknown as { connection: { stream: { destroy(): void } } }
    ).connection.stream.destroy();
  }
}

/** @returns the first column of the first row */
export type Ask = (query: string | Named, values?: unknown[]) => Promise<unknown>;
interface Named {
  readonly name: string;
  readonly text: string;
}

/** Writes in a transaction or by itself, and knows afterwards what has become of it. */
export async function writing(
  { load, id }: Client,
  write: (number: number) => Promise<'committed' | 'rolledBack'>,
): Promise<void> {
  const number = load.ledger.begin(id);
  if ((await write(number)) === 'committed') load.ledger.committed(id, number);
  else load.ledger.rolledBack(id, number);
}
