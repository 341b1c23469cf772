import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { DecodedParse } from '../wire/decode.ts';
import { parse } from '../wire/frontend-messages.ts';
import type { TransactionStatus } from '../wire/protocol.ts';
import type { ClientStatements } from './client-statements.ts';
import type { EngineStatements } from './engine-statements.ts';
import type { OwnObjects } from './own-objects.ts';
import type { Decision } from './pipeline.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { refusalOf } from './refusal-of.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { Turns } from './turns.ts';

export interface ExtendedParseParts {
  readonly turns: Turns;
  readonly own: OwnObjects;
  readonly judged: PreparedStatements;
  readonly client: ClientStatements;
  readonly prepared: EngineStatements;
  readonly owed: ResponseQueue;
  readonly status: () => TransactionStatus;
  readonly judge: (
    statement: { readonly text: Buffer; readonly parameterTypes: readonly number[] },
    then: (decision: Decision) => Promise<void> | undefined,
  ) => Promise<void> | undefined;
}

/** PostgreSQL compares no more bytes of a prepared statement's name than NAMEDATALEN - 1: two longer ones may be one. */
const longestName = 63;

/** Parse: what it prepares goes to the engine, is refused, or is a statement of ours. */
export class ExtendedParse {
  private readonly parts: ExtendedParseParts;

  constructor(parts: ExtendedParseParts) {
    this.parts = parts;
  }

  /** What is behind the name is known. */
  take(raw: Buffer, message: DecodedParse): Promise<void> | undefined {
    const { textBytes: text, parameterTypes, name } = message;
    if (Buffer.byteLength(name) > longestName) {
      const params = { name: name.slice(0, longestName), limit: longestName };
      return this.refuse(name, new HatiError('statement_name_too_long', { params }));
    }
    return this.parts.judge({ text, parameterTypes }, (decision) => {
      switch (decision.action) {
        case 'forward':
          return this.parts.turns.withEngine(
            (link) => this.forward(link, raw, message, decision),
            (response) => this.parts.turns.fail(response),
            { text: decision.classified },
          );
        case 'refuse':
          return this.refuse(name, decision.error);
        case 'answer':
          return this.answer(message, decision);
      }
    });
  }

  private forward(
    link: EngineLink,
    raw: Buffer,
    message: DecodedParse,
    { classified, text: rewritten }: Extract<Decision, { action: 'forward' }>,
  ): undefined {
    const { own, judged, prepared, status } = this.parts;
    const { name, parameterTypes } = message;
    const refusal = own.isEmpty ? undefined : refusalOf(() => own.yieldStatement(name));
    if (refusal !== undefined) return this.refuse(name, refusal);
    const text = rewritten ?? message.textBytes.toString('utf8');
    // Noted where it is sent; an error of ours leaves nothing behind.
    const note = (): ((done: boolean) => void) =>
      judged.parsed(name, { classified, parameterTypes });
    if (name === '') {
      const sent = rewritten === undefined ? raw : parse({ name, text, parameterTypes });
      prepared.parseUnnamed(link, { raw: sent, text, parameterTypes }, classified, note());
      return undefined;
    }
    const context = { classified, isFailed: status() === 'failed' };
    const taken = refusalOf(() =>
      prepared.parse(link, { name, text, parameterTypes }, context, note),
    );
    return taken && this.refuse(name, taken);
  }

  private answer(
    message: DecodedParse,
    { statements }: Extract<Decision, { action: 'answer' }>,
  ): Promise<void> | undefined {
    const { turns, own, client } = this.parts;
    const [statement, ...more] = statements;
    if (statement === undefined || more.length > 0) {
      return turns.refuse(
        new HatiError('syntax_error', {
          params: { message: 'cannot insert multiple commands into a prepared statement' },
        }),
      );
    }
    const { name } = message;
    if (name !== '' && client.has(name))
      return turns.refuse(new HatiError('prepared_statement_exists', { params: { name } }));
    return turns.answer(() => own.parse(message, statement));
  }

  /** PostgreSQL lets go of the unnamed statement before it reads the text that was to replace it. */
  private refuse(name: string, error: HatiError): undefined {
    const { own, turns, client, owed } = this.parts;
    if (name !== '') return turns.refuse(error);
    own.yieldStatement(name);
    const undo = client.endUnnamed(owed);
    return turns.refuse(error, (_, { isDiscarded }) => {
      if (isDiscarded) undo();
    });
  }
}
