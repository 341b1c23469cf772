import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import { combined, type SessionUse } from '../policy/session-use.ts';
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
import type { ResponseQueue } from './response-queue.ts';
import type { Turns } from './turns.ts';

export interface ExtendedQueryParts {
  readonly turns: Turns;
  readonly own: OwnObjects;
  readonly judged: PreparedStatements;
  readonly client: ClientStatements;
  readonly prepared: EngineStatements;
  readonly hold: EngineHold;
  readonly owed: ResponseQueue;
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
  /** Portals of statements that end what is prepared or set, by name. */
  private readonly ending = new Map<string, SessionUse>();
  /** One of those was run in this batch. */
  private hasEnded = false;

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
      (link) => {
        const use = this.ending.get(message.portal);
        if (use === undefined) turns.forward(raw, 'execute');
        else {
          this.hasEnded = true;
          const settle = (done: boolean): void => {
            if (done) this.done(link, use, true);
            else link.statements.doubt();
          };
          turns.forward(raw, { of: 'execute', settle });
        }
        return undefined;
      },
      (response) => turns.fail(response),
    );
  }

  close(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const { own, turns, judged, prepared, client } = this.parts;
    const object = decodeObjectName(body, 'Close');
    if (turns.isSkipping) return undefined;
    // Closing is allowed in a failed transaction, too.
    if (own.has(object)) return turns.answer(() => own.close(object), 'always');
    return turns.withEngine(
      (link) => {
        if (object.kind === 'portal') turns.forward(raw, 'close');
        else if (object.name === '') {
          const undo = prepared.endUnnamed(link);
          const settle = judged.closed('');
          turns.forward(raw, {
            of: 'close',
            settle: (done) => {
              if (!done) undo();
              settle(done);
            },
          });
        } else if (client.ofSql.has(object.name)) {
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
    const { prepared, turns, hold, owed, own } = this.parts;
    const { hasEnded } = this;
    this.hasEnded = false;
    this.ending.clear();
    // Nothing was sent to the engine, so nobody else says that the batch's transaction is over.
    if (hold.link === undefined) own.endOfTransaction();
    prepared.endOfBatch(hold.link);
    turns.sync(raw, 'sync');
    // What comes behind must not be taken for something that this batch has ended.
    return hasEnded ? owed.drained() : undefined;
  }

  /** Also by what it runs by name. */
  wholeUse(use: SessionUse): SessionUse {
    const { client, useOf } = this.parts;
    if (use.executed.length === 0) return use;
    const named = use.executed.flatMap((name) => client.get(name)?.classified ?? []);
    return combined([use, ...named.map(useOf)]);
  }

  /** It is about to run. */
  running(use: SessionUse): void {
    const { hold, client } = this.parts;
    hold.running(use);
    for (const name of use.prepared) client.ofSql.add(name);
  }

  /** It has run. @param isAlone nothing came behind it in the same text. */
  done(link: EngineLink, use: SessionUse, isAlone: boolean): void {
    const { prepared, hold, client, status } = this.parts;
    if (use.endsPrepared) {
      prepared.ended(link);
      if (!isAlone) for (const name of use.prepared) client.ofSql.add(name);
    }
    prepared.deallocated(use.deallocated);
    // In a transaction block it may still be taken back.
    if (isAlone && status() === 'idle') hold.done(use);
  }

  private forwardParse(
    link: EngineLink,
    raw: Buffer,
    message: DecodedParse,
    { classified, text: rewritten }: Extract<Decision, { action: 'forward' }>,
  ): undefined {
    const { own, judged, prepared, status } = this.parts;
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
    const context = { classified, isFailed: status() === 'failed' };
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
    const { turns, client, prepared, own, useOf } = this.parts;
    const statement = names.statement === '' ? client.unnamed : client.get(names.statement);
    this.ending.delete(names.portal);
    if (statement !== undefined) {
      const use = this.wholeUse(useOf(statement.classified));
      this.running(use);
      if (use.executed.length + use.deallocated.length > 0) prepared.exportNamed(link, use, true);
      if (use.endsPrepared) own.clear();
      if (use.endsPrepared || use.resetsSettings || use.deallocated.length > 0)
        this.ending.set(names.portal, use);
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
    } else if (client.ofSql.has(name)) then(undefined);
    else turns.refuse(new HatiError('prepared_statement_unknown', { params: { name } }));
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
