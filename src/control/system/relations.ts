import type { Description, SystemRelations, SystemResult } from '../../ports.ts';
import { EngineError } from '../../wire/engine-error.ts';
import {
  describePortal,
  describeStatement,
  executePortal,
  parse,
  query,
  sync,
} from '../../wire/frontend-messages.ts';
import { Backend, Frontend } from '../../wire/protocol.ts';
import { MessageWriter } from '../../wire/writer.ts';
import type { Answer, SystemConnection } from './connection.ts';

/**
 * Reads over `_hatidata_*` relations are run by the control store itself, so that WHERE, ORDER BY, aggregates, joins
 * with the system catalogues, bound parameters and binary results are PostgreSQL's own.
 */
export class StoreSystemRelations implements SystemRelations {
  private readonly connection: SystemConnection;
  /** Makes `last_used_at` current before it is read. */
  private readonly beforeRead: () => Promise<void>;

  constructor(connection: SystemConnection, beforeRead: () => Promise<void>) {
    this.connection = connection;
    this.beforeRead = beforeRead;
  }

  async query(text: string): Promise<Buffer> {
    await this.beforeRead();
    const answers = await this.exchange(query(text));
    return Buffer.concat(answers.map((answer) => answer.raw));
  }

  async describe(text: string, parameterTypes: readonly number[]): Promise<Description> {
    const answers = await this.exchange(
      Buffer.concat([parse({ name: '', text, parameterTypes }), describeStatement(''), sync]),
    );
    return {
      parameters: only(answers, [Backend.ParameterDescription]),
      row: only(answers, [Backend.RowDescription, Backend.NoData]),
    };
  }

  async execute(
    text: string,
    parameterTypes: readonly number[],
    bind: Buffer,
  ): Promise<SystemResult> {
    await this.beforeRead();
    const answers = await this.exchange(
      Buffer.concat([
        parse({ name: '', text, parameterTypes }),
        new MessageWriter().cstring('').cstring('').add(bind).finish(Frontend.Bind),
        describePortal,
        executePortal,
        sync,
      ]),
    );
    return {
      row: only(answers, [Backend.RowDescription, Backend.NoData]),
      rows: answers.filter((answer) => answer.type === Backend.DataRow).map((answer) => answer.raw),
    };
  }

  /** An error that the store gave to the client's statement is the client's to see. */
  private async exchange(messages: Buffer): Promise<Answer[]> {
    const answers = await this.connection.exchange(messages);
    const error = answers.find((answer) => answer.type === Backend.ErrorResponse);
    if (error !== undefined) throw new EngineError(error.raw);
    return answers;
  }
}

function only(answers: readonly Answer[], types: readonly number[]): Buffer {
  const answer = answers.find((each) => types.includes(each.type));
  if (answer === undefined) throw new Error('the store gave an incomplete answer');
  return answer.raw;
}
