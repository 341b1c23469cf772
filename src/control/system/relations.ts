import type {
  Description,
  Principal,
  StatusRelations,
  SystemRelations,
  SystemResult,
} from '../../ports.ts';
import type { Statement } from '../../sql/statement.ts';
import { keySchema } from '../../sql/system-call.ts';
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
import { settingsAhead } from './settings-ahead.ts';

export interface SystemRelationsParts {
  readonly connection: SystemConnection;
  /** Makes `last_used_at` of the keys current. */
  readonly flushUses: () => Promise<void>;
  readonly status: StatusRelations;
}

/**
 * Reads over `_hatidata_*` relations are run by the control store itself, so that WHERE, ORDER BY, aggregates, joins
 * with the system catalogues, bound parameters and binary results are PostgreSQL's own.
 */
export class StoreSystemRelations implements SystemRelations {
  private readonly parts: SystemRelationsParts;

  constructor(parts: SystemRelationsParts) {
    this.parts = parts;
  }

  async query(statement: Statement, asker: Principal): Promise<Buffer> {
    const answers = await this.read(statement, asker, query(statement.text));
    return Buffer.concat(answers.map((answer) => answer.raw));
  }

  async describe({ text }: Statement, parameterTypes: readonly number[]): Promise<Description> {
    const answers = await this.exchange(
      Buffer.concat([parse({ name: '', text, parameterTypes }), describeStatement(''), sync]),
    );
    return {
      parameters: only(answers, [Backend.ParameterDescription]),
      row: only(answers, [Backend.RowDescription, Backend.NoData]),
    };
  }

  async execute(
    statement: Statement,
    parameterTypes: readonly number[],
    bind: Buffer,
    asker: Principal,
  ): Promise<SystemResult> {
    const { text } = statement;
    const answers = await this.read(
      statement,
      asker,
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

  private async read(statement: Statement, asker: Principal, messages: Buffer): Promise<Answer[]> {
    const { flushUses, status } = this.parts;
    if (statement.relations.some(({ schema }) => schema === keySchema)) await flushUses();
    return this.exchange(messages, () => settingsAhead(statement, asker, status));
  }

  /** An error that the store gave to the client's statement is the client's to see. */
  private async exchange(
    messages: Buffer,
    before?: () => Promise<Buffer | undefined>,
  ): Promise<Answer[]> {
    const answers = await this.parts.connection.exchange(messages, before);
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
