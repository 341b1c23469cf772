import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { SessionUse } from '../policy/session-use.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import {
  decodeBindNames,
  decodeExecute,
  decodeObjectName,
  decodeParse,
  type BindNames,
  type DecodedParse,
} from '../wire/decode.ts';
import { bindTo, closeStatement, describeStatement, parse } from '../wire/frontend-messages.ts';
import type { TransactionStatus } from '../wire/protocol.ts';
import type { ClientStatements } from './client-statements.ts';
import type { EngineHold } from './engine-hold.ts';
import type { EngineStatements } from './engine-statements.ts';
import type { OwnObjects } from './own-objects.ts';
import type { Decision } from './pipeline.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import type { SessionState } from './session-state.ts';
import type { Turns } from './turns.ts';

export interface ExtendedQueryParts {
  readonly turns: Turns;
  readonly own: OwnObjects;
  readonly judged: PreparedStatements;
  readonly client: ClientStatements;
  readonly prepared: EngineStatements;
  readonly hold: EngineHold;
  readonly state: SessionState;
  readonly status: () => TransactionStatus;
  readonly judge: (
    statement: { readonly text: Buffer; readonly parameterTypes: readonly number[] },
    then: (decision: Decision) => Promise<void> | undefined,
  ) => Promise<void> | undefined;
  readonly useOf: (text: ClassifiedText) => SessionUse;
}

/**
 * The messages of the extended protocol. A statement is judged at Parse and carries its verdict with it; what it is called on
 * the engine's side is ours (`engine-statements.ts`). Portals keep their names: they live no longer than the transaction.
 */
export class ExtendedQuery {
  private readonly parts: ExtendedQueryParts;
  /** A statement of this batch may end all that are prepared. */
  private mayEndPrepared = false;

  constructor(parts: ExtendedQueryParts) {
    this.parts = parts;
  }

  parse(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const message = decodeParse(body);
    if (this.parts.turns.isSkipping) return undefined;
    const { textBytes: text, parameterTypes, name } = message;
    if (Buffer.byteLength(name) > longestName) {
      const params = { name: name.slice(0, longestName), limit: longestName };
      return this.refuseParse(name, new HatiError('statement_name_too_long', { params }));
    }
    return this.parts.judge({ text, parameterTypes }, (decision) => {
      switch (decision.action) {
        case 'forward':
          return this.parts.turns.withEngine(
            (link) => this.forwardParse(link, raw, message, decision),
            (response) => this.parts.turns.fail(response),
          );
        case 'refuse':
          return this.refuseParse(name, decision.error);
        case 'answer':
          return this.answerParse(message, decision);
      }
    });
  }

  bind(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const { own, judged, turns } = this.parts;
    const names = decodeBindNames(body);
    if (turns.isSkipping) return undefined;
    if (own.hasStatement(names.statement)) return turns.answer(() => own.bind(body));
    const refusal =
      attempt(() => own.yieldPortal(names.portal)) ??
      judged.recheck(names.statement) ??
      judged.checkValues(names.statement, body);
    if (refusal !== undefined) return turns.refuse(refusal);
    return turns.withEngine(
      (link) => this.forwardBind(link, raw, body, names),
      (response) => turns.fail(response),
    );
  }

  describe(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const { own, turns } = this.parts;
    const object = decodeObjectName(body, 'Describe');
    if (turns.isSkipping) return undefined;
    if (own.has(object)) return turns.answer(() => own.describe(object));
    return turns.withEngine(
      (link) => {
        if (object.kind === 'portal') turns.forward(raw, 'describe');
        else
          this.withStatement(link, object.name, (name) =>
            turns.forward(name === undefined ? raw : describeStatement(name), 'describe'),
          );
        return undefined;
      },
      (response) => turns.fail(response),
    );
  }

  execute(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const { own, turns } = this.parts;
    const message = decodeExecute(body);
    // What is malformed ends the session, skipped or not: whether it is skipped depends on what the engine has said so far.
    if (turns.isSkipping) return undefined;
    if (own.has({ kind: 'portal', name: message.portal }))
      return turns.answer(() => own.execute(message));
    return turns.withEngine(
      () => {
        turns.forward(raw, 'execute');
        return undefined;
      },
      (response) => turns.fail(response),
    );
  }

  close(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const { own, turns, judged, prepared } = this.parts;
    const object = decodeObjectName(body, 'Close');
    if (turns.isSkipping) return undefined;
    // Closing is allowed in a failed transaction, too.
    if (own.has(object)) return turns.answer(() => own.close(object), 'always');
    return turns.withEngine(
      (link) => {
        if (object.kind === 'portal') turns.forward(raw, 'close');
        else if (object.name === '') {
          prepared.endUnnamed(link);
          turns.forward(raw, { of: 'close', settle: judged.closed('') });
        } else if (this.isOfSql(object.name)) {
          turns.forward(closeStatement(object.name), {
            of: 'close',
            settle: judged.closed(object.name),
          });
        } else prepared.close(object.name, judged.closed(object.name));
        return undefined;
      },
      (response) => turns.fail(response),
    );
  }

  sync(raw: Buffer): Promise<void> | undefined {
    const { prepared, turns, hold } = this.parts;
    prepared.endOfBatch();
    const { link } = hold;
    if (!this.mayEndPrepared || link === undefined) return turns.sync(raw, 'sync');
    this.mayEndPrepared = false;
    return turns.sync(raw, { of: 'sync', settle: () => link.statements.doubt() });
  }

  private forwardParse(
    link: EngineLink,
    raw: Buffer,
    message: DecodedParse,
    { classified, text: rewritten }: Extract<Decision, { action: 'forward' }>,
  ): undefined {
    const { own, judged, prepared, state, status } = this.parts;
    const { name, parameterTypes } = message;
    const refusal = own.isEmpty ? undefined : attempt(() => own.yieldStatement(name));
    if (refusal !== undefined) return this.refuseParse(name, refusal);
    const text = rewritten ?? message.textBytes.toString('utf8');
    // Noted where it is sent; an error of ours leaves nothing behind.
    const note = (): ((done: boolean) => void) =>
      judged.parsed(name, { classified, parameterTypes });
    if (name === '') {
      const sent = rewritten === undefined ? raw : parse({ name, text, parameterTypes });
      prepared.parseUnnamed(link, { raw: sent, classified }, note());
      return undefined;
    }
    const context = { classified, settings: state.settings, isFailed: status() === 'failed' };
    const taken = attempt(() =>
      prepared.parse(link, { name, text, parameterTypes }, context, note()),
    );
    return taken && this.refuseParse(name, taken);
  }

  private answerParse(
    message: DecodedParse,
    { statements }: Extract<Decision, { action: 'answer' }>,
  ): Promise<void> | undefined {
    const { turns, own } = this.parts;
    const [statement, ...more] = statements;
    if (statement === undefined || more.length > 0) {
      return turns.refuse(
        new HatiError('syntax_error', {
          params: { message: 'cannot insert multiple commands into a prepared statement' },
        }),
      );
    }
    return turns.answer(() => own.parse(message, statement));
  }

  private forwardBind(link: EngineLink, raw: Buffer, body: Buffer, names: BindNames): undefined {
    const { turns, client, prepared, hold, own, useOf } = this.parts;
    const statement = names.statement === '' ? client.unnamed : client.get(names.statement);
    if (statement !== undefined) {
      const use = useOf(statement.classified);
      hold.running(use);
      if (use.namesPrepared) prepared.exportNamed(statement.classified, true);
      if (use.endsPrepared) {
        own.clear();
        this.mayEndPrepared = true;
      }
    }
    this.withStatement(link, names.statement, (name) =>
      turns.forward(name === undefined ? raw : bindTo(name, body, names), 'bind'),
    );
    return undefined;
  }

  /** @param then gets our name for it; undefined where the engine knows it by the client's. */
  private withStatement(
    link: EngineLink,
    name: string,
    then: (name: string | undefined) => void,
  ): void {
    const { client, prepared, turns } = this.parts;
    if (name === '') {
      if (prepared.ensureUnnamed(link)) then(undefined);
      else turns.refuse(new HatiError('unnamed_statement_unknown'));
      return;
    }
    const statement = client.get(name);
    if (statement !== undefined) {
      prepared.ensure(link, statement);
      then(statement.engine.name);
    } else if (this.isOfSql(name)) then(undefined);
    else turns.refuse(new HatiError('prepared_statement_unknown', { params: { name } }));
  }

  /** It may have been made by PREPARE, which keeps its connection for this session. */
  private isOfSql(name: string): boolean {
    const { client, state } = this.parts;
    return client.get(name) === undefined && state.pinned.has('preparedStatement');
  }

  /** PostgreSQL lets go of the unnamed statement before it reads the text that was to replace it. */
  private refuseParse(name: string, error: HatiError): undefined {
    const { own, turns, client } = this.parts;
    if (name === '') {
      attempt(() => own.yieldStatement(name));
      client.unnamed = undefined;
    }
    turns.refuse(error);
  }
}

/** PostgreSQL compares no more bytes of a prepared statement's name than NAMEDATALEN - 1: two longer ones may be one. */
const longestName = 63;

function attempt(act: () => void): HatiError | undefined {
  try {
    act();
    return undefined;
  } catch (error) {
    if (error instanceof HatiError) return error;
    throw error;
  }
}
