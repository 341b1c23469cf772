import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import { combined, type SessionUse } from '../policy/session-use.ts';
import type { ClassifiedText, Statement } from '../sql/statement.ts';
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
import type { ClientStatement, ClientStatements } from './client-statements.ts';
import type { EngineHold } from './engine-hold.ts';
import type { EngineStatements } from './engine-statements.ts';
import type { OwnObjects } from './own-objects.ts';
import type { Decision } from './pipeline.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { ResultShapes } from './result-shapes.ts';
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
  /** What would keep an engine connection is refused. */
  readonly refusesPins: boolean;
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
  /** Portals of statements that end what is prepared or set, or copy in, by name. */
  private readonly special = new Map<string, Special>();
  /** What portals were made of, where the client has not been told yet what that gives. */
  private readonly bound = new Map<string, Bound>();
  private readonly shapes: ResultShapes;

  constructor(parts: ExtendedQueryParts) {
    this.parts = parts;
    this.shapes = new ResultShapes(parts.turns);
  }

  /** What is behind the name depends on answers that are still to come. */
  isUndecided(name: string): boolean {
    const { client, judged, owed } = this.parts;
    return client.isUndecided(name, owed) || (judged.isCrowded(name) && !owed.isEmpty);
  }

  /** An error in the batch before may have kept a Parse or Close of this name from happening. */
  private onceDecided(
    name: string,
    act: () => Promise<void> | undefined,
  ): Promise<void> | undefined {
    return this.isUndecided(name)
      ? this.decided().then((goesOn) => (goesOn ? act() : undefined))
      : act();
  }

  /** @returns as `caughtUp`. */
  async decided(): Promise<boolean> {
    const { turns, client } = this.parts;
    const goesOn = await turns.caughtUp();
    if (goesOn) client.decided();
    return goesOn;
  }

  parse(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const message = decodeParse(body);
    if (this.parts.turns.isSkipping) return undefined;
    return this.onceDecided(message.name, () => this.parseDecided(raw, message));
  }

  private parseDecided(raw: Buffer, message: DecodedParse): Promise<void> | undefined {
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
    if (this.isUndecided(names.statement))
      return this.onceDecided(names.statement, () => this.bind(raw, body));
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
    if (object.kind === 'statement' && this.isUndecided(object.name))
      return this.onceDecided(object.name, () => this.describe(raw, body));
    if (own.has(object)) return turns.answer(() => own.describe(object));
    return turns.withEngine(
      (link) => {
        if (object.kind === 'portal') {
          const expected = this.shapes.learning(link, this.bound.get(object.name)?.statement);
          if (object.name === '') return turns.forwardUnnamed(raw, expected);
          turns.forward(raw, expected);
          return undefined;
        }
        return this.withStatement(link, object.name, (statement) =>
          turns.forward(
            statement === undefined ? raw : describeStatement(statement.engine.name),
            this.shapes.learning(link, statement),
          ),
        );
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
        const special = this.special.get(message.portal);
        if (special !== undefined) return this.executeSpecial(link, raw, special);
        if (message.portal === '') return turns.forwardUnnamed(raw, 'execute');
        turns.forward(raw, 'execute');
        return undefined;
      },
      (response) => turns.fail(response),
    );
  }

  /**
   * It ends what is prepared or set, or the engine will ask for data: what comes behind waits until that is known. By then all
   * before it is answered.
   */
  private async executeSpecial(
    link: EngineLink,
    raw: Buffer,
    { use, classified }: Special,
  ): Promise<void> {
    const { turns, owed, hold, prepared } = this.parts;
    if (!(await turns.caughtUp())) return;
    // It may have been bound in an earlier batch.
    if (use.executed.length + use.deallocated.length > 0) prepared.exportNamed(link, use, true);
    const settle = (done: boolean): void => {
      if (!done) return;
      this.ended(link, classified.statements);
      // RESET ALL may be taken back with the batch; then its settings are read.
      if (use.endsState) hold.done(use);
    };
    turns.forward(raw, { of: 'execute', settle });
    if (use.copiesIn) await owed.copyKnown();
    else await turns.caughtUp();
  }

  close(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const { own, turns, judged, prepared, client } = this.parts;
    const object = decodeObjectName(body, 'Close');
    if (turns.isSkipping) return undefined;
    if (object.kind === 'statement' && this.isUndecided(object.name))
      return this.onceDecided(object.name, () => this.close(raw, body));
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

  /** A Query is on its way; it makes an unnamed portal of its own. */
  querySent(): void {
    this.special.delete('');
    this.bound.delete('');
  }

  /** Portals end with the transaction; those that were bound behind it are of the next one. */
  endOfTransaction(): void {
    const { answered } = this.parts.owed;
    for (const portals of [this.special, this.bound])
      for (const [name, { batch }] of portals) if (batch < answered) portals.delete(name);
  }

  sync(raw: Buffer): Promise<void> | undefined {
    const { prepared, turns, hold, own } = this.parts;
    // Nothing was sent to the engine, so nobody else says that the batch's transaction is over.
    if (hold.link === undefined) own.endOfTransaction();
    prepared.endOfBatch(hold.link);
    turns.sync(raw, 'sync');
    return undefined;
  }

  /** Also by what it runs by name, and what that runs. */
  wholeUse(use: SessionUse): SessionUse {
    if (use.executed.length === 0) return use;
    const { client, useOf } = this.parts;
    const seen = new Set<string>();
    const uses = [use];
    for (const { executed } of uses) {
      for (const name of executed) {
        const statement = seen.has(name) ? undefined : client.get(name);
        seen.add(name);
        if (statement !== undefined) uses.push(useOf(statement.classified));
      }
    }
    return combined(uses);
  }

  /** It is about to run. */
  running(use: SessionUse): void {
    const { hold, client } = this.parts;
    hold.running(use);
    for (const name of use.prepared) client.ofSql.add(name);
  }

  /** These have run. */
  ended(link: EngineLink, statements: readonly Statement[]): void {
    const { prepared, client } = this.parts;
    for (const statement of statements) {
      if (statement.effects.includes('endsPrepared')) prepared.ended(link);
      prepared.deallocated(statement.deallocated);
      for (const name of statement.prepared) client.ofSql.add(name);
    }
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
    if (name !== '' && (client.get(name) !== undefined || client.ofSql.has(name)))
      return turns.refuse(new HatiError('prepared_statement_exists', { params: { name } }));
    return turns.answer(() => own.parse(message, statement));
  }

  private forwardBind(
    link: EngineLink,
    raw: Buffer,
    body: Buffer,
    names: BindNames,
  ): Promise<void> | undefined {
    const { turns, client, prepared, own, useOf } = this.parts;
    const named = client.get(names.statement);
    const statement = names.statement === '' ? client.unnamed : named;
    const before = this.special.get(names.portal);
    this.special.delete(names.portal);
    if (named === undefined || named.shape !== undefined) this.bound.delete(names.portal);
    else this.bound.set(names.portal, { statement: named, batch: this.parts.owed.batch });
    if (statement !== undefined) {
      statement.classified.runs += 1;
      const use = this.wholeUse(useOf(statement.classified));
      const [pin] = this.parts.refusesPins ? use.pins : [];
      if (pin !== undefined)
        return turns.refuse(new HatiError('pinning_refused', { params: { what: pin.detail } }));
      this.running(use);
      if (use.executed.length + use.deallocated.length > 0) prepared.exportNamed(link, use, true);
      if (use.endsPrepared) own.clear();
      const isSpecial =
        use.endsPrepared ||
        use.resetsSettings ||
        use.copiesIn ||
        use.executed.length + use.deallocated.length > 0;
      const { classified } = statement;
      if (isSpecial)
        this.special.set(names.portal, { use, classified, batch: this.parts.owed.batch });
    }
    return this.withStatement(link, names.statement, (known) => {
      const message = known === undefined ? raw : bindTo(known.engine.name, body, names);
      if (names.portal === '') turns.bindUnnamed(message);
      else {
        const special = this.special.get(names.portal);
        const settle = (done: boolean): void => {
          // Then the portal is what it was before.
          if (!done && this.special.get(names.portal) === special)
            this.replaceSpecial(names.portal, before);
        };
        turns.forward(message, before === special ? 'bind' : { of: 'bind', settle });
      }
    });
  }

  private replaceSpecial(portal: string, special: Special | undefined): void {
    if (special === undefined) this.special.delete(portal);
    else this.special.set(portal, special);
  }

  /** Where its result is not what the client was told, the client gets an error. */
  private checked(
    link: EngineLink,
    statement: ClientStatement,
    then: (statement: ClientStatement) => void,
  ): Promise<void> | undefined {
    const checking = this.shapes.check(link, statement);
    if (checking === undefined) {
      then(statement);
      return undefined;
    }
    return checking.then((result) => {
      if (result === 'same') then(statement);
      else if (result === 'changed') this.shapes.refuse();
    });
  }

  /** @param then gets it; undefined where the engine knows it by the client's own name. */
  private withStatement(
    link: EngineLink,
    name: string,
    then: (statement: ClientStatement | undefined) => void,
  ): Promise<void> | undefined {
    const { client, prepared, turns } = this.parts;
    if (name === '') {
      if (prepared.ensureUnnamed(link)) then(undefined);
      else turns.refuse(new HatiError('unnamed_statement_unknown'));
      return undefined;
    }
    const statement = client.get(name);
    if (statement !== undefined) {
      return prepared.ensure(link, statement) ? this.checked(link, statement, then) : undefined;
    }
    if (client.ofSql.has(name)) then(undefined);
    else turns.refuse(new HatiError('prepared_statement_unknown', { params: { name } }));
    return undefined;
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

interface Bound {
  readonly statement: ClientStatement;
  /** The batch that it was bound in. */
  readonly batch: number;
}

interface Special {
  readonly use: SessionUse;
  readonly classified: ClassifiedText;
  /** The batch that it was bound in. */
  readonly batch: number;
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
