import type pg from 'pg';
import { openUpstream, type UpstreamConnection } from '../../engine/upstream.ts';
import { HatiError } from '../../errors.ts';
import { query } from '../../wire/frontend-messages.ts';
import { MessageFramer, type HeaderCheck } from '../../wire/message-framer.ts';
import { Backend } from '../../wire/protocol.ts';

/** One message of the store's answer, whole. */
export interface Answer {
  readonly type: number;
  readonly raw: Buffer;
}

/** System relations are small; an answer over this is a mistake, not a result. */
const largestAnswer = 64 * 1024 * 1024;

/**
 * A connection to the control store that may see `_hatidata_*` relations and nothing else of ours.
 * Raw protocol in, raw messages out, one exchange at a time; remade when it breaks.
 */
export class SystemConnection {
  private readonly config: pg.ClientConfig;
  private readonly role: string | undefined;
  private upstream: Promise<UpstreamConnection> | undefined;
  private turn: Promise<unknown> = Promise.resolve();

  /** @param role becomes the session's role by startup option, where `config` logs in as another one. */
  constructor(config: pg.ClientConfig, role: string | undefined) {
    this.config = config;
    this.role = role;
  }

  /**
   * Sends messages that end in exactly one ReadyForQuery and returns what came before it.
   * @param before asked, when it is their turn, for what goes ahead of them: messages of ours that end in one as well.
   */
  exchange(
    messages: Buffer,
    before: () => Promise<Buffer | undefined> = () => Promise.resolve(undefined),
  ): Promise<Answer[]> {
    const result = this.turn.then(async () => {
      const ours = await before();
      return this.run(ours === undefined ? [discardAll, messages] : [discardAll, ours, messages]);
    });
    this.turn = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    await this.turn;
    const upstream = await this.upstream?.catch(() => undefined);
    upstream?.close();
    this.upstream = undefined;
  }

  /** Reads only, so a connection that turns out dead is remade and asked again, once. */
  private async run(messages: readonly Buffer[]): Promise<Answer[]> {
    const existing = this.upstream;
    try {
      return await this.ask(messages);
    } catch (error) {
      if (existing === undefined) throw new HatiError('store_unreachable', { cause: error });
    }
    try {
      return await this.ask(messages);
    } catch (error) {
      throw new HatiError('store_unreachable', { cause: error });
    }
  }

  private async ask(messages: readonly Buffer[]): Promise<Answer[]> {
    this.upstream ??= this.open();
    let upstream: UpstreamConnection | undefined;
    try {
      upstream = await this.upstream;
      return await collect(upstream, messages);
    } catch (error) {
      this.upstream = undefined;
      upstream?.socket.destroy();
      throw error;
    }
  }

  private open(): Promise<UpstreamConnection> {
    return openUpstream(this.config, {
      applicationName: 'hatidata system relations',
      settings: [
        ...(this.role === undefined ? [] : ([['role', this.role]] as const)),
        ['search_path', 'pg_catalog'],
        ['default_transaction_read_only', 'on'],
        ['statement_timeout', '3000'],
        ['TimeZone', 'UTC'],
        ['DateStyle', 'ISO'],
      ],
    });
  }
}

const answerCheck: HeaderCheck = {
  checkHeader: (type, length) => {
    if (length < 4 || length > largestAnswer)
      throw new Error(`a message ${type} of ${length} bytes`);
  },
};

/** @param messages each ends in one ReadyForQuery. @returns what came for the last; those before are ours, and may not fail. */
function collect({ socket }: UpstreamConnection, messages: readonly Buffer[]): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const framer = new MessageFramer(answerCheck);
    let answers: Answer[] = [];
    let left = messages.length;
    let total = 0;
    const finish = (settle: () => void): void => {
      socket.off('data', onData).off('error', onLost).off('close', onLost);
      socket.pause();
      settle();
    };
    const onLost = (): void => finish(() => reject(new Error('the connection was lost')));
    const onData = (chunk: Buffer): void => {
      try {
        framer.push(chunk);
        for (let raw = framer.next(); raw !== undefined; raw = framer.next()) {
          const type = raw[0]!;
          if (type !== Backend.ReadyForQuery) {
            total += raw.length;
            if (total > largestAnswer)
              throw new HatiError('answer_too_large', { params: { limit: largestAnswer } });
            answers.push({ type, raw });
            continue;
          }
          left -= 1;
          if (left === 0) {
            finish(() => resolve(answers));
            return;
          }
          if (answers.some((answer) => answer.type === Backend.ErrorResponse))
            throw new Error('the store refused what goes ahead of a statement');
          answers = [];
        }
      } catch (error) {
        finish(() => reject(error instanceof Error ? error : new Error(String(error))));
      }
    };
    if (socket.destroyed) {
      reject(new Error('the connection was lost'));
      return;
    }
    socket.on('data', onData).on('error', onLost).on('close', onLost);
    socket.resume();
    socket.write(Buffer.concat(messages));
  });
}

/** Whatever an earlier statement did to the session, its role above all, is undone first. */
const discardAll = query('DISCARD ALL');
