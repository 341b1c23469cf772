import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { SessionUse } from '../policy/session-use.ts';
import type { ClassifiedText, Statement } from '../sql/statement.ts';
import {
  decodeBindNames,
  decodeExecute,
  decodeObjectName,
  decodeParse,
  type BindNames,
} from '../wire/decode.ts';
import { bindTo, closeStatement, describeStatement } from '../wire/frontend-messages.ts';
import type { EngineHold } from './engine-hold.ts';
import { ExtendedParse, type ExtendedParseParts } from './extended-parse.ts';
import { Portals } from './portals.ts';
import { refusalOf } from './refusal-of.ts';
import { ResultShapes } from './result-shapes.ts';
import type { ResponseQueue } from './response-queue.ts';
import { namesStatements, noteRan, wholeUse } from './statement-names.ts';
import { UsableStatements } from './usable-statements.ts';

export interface ExtendedQueryParts extends ExtendedParseParts {
  readonly hold: EngineHold;
  readonly owed: ResponseQueue;
  /** What would keep an engine connection is refused. */
  readonly refusesPins: boolean;
  readonly useOf: (text: ClassifiedText) => SessionUse;
}

/**
 * The messages of the extended protocol. A statement is judged at Parse (`extended-parse.ts`) and carries its verdict with it; what
 * it is called on the engine's side is ours (`engine-statements.ts`). Portals keep their names (`portals.ts`).
 */
export class ExtendedQuery {
  private readonly parts: ExtendedQueryParts;
  private readonly parsing: ExtendedParse;
  private readonly shapes: ResultShapes;
  private readonly statements: UsableStatements;
  private readonly portals: Portals;

  constructor(parts: ExtendedQueryParts) {
    const { exported } = parts.prepared;
    this.parts = parts;
    this.parsing = new ExtendedParse(parts);
    this.shapes = new ResultShapes(parts.turns);
    this.statements = new UsableStatements({ ...parts, shapes: this.shapes });
    this.portals = new Portals({ ...parts, exported });
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
    return this.onceDecided(message.name, () => this.parsing.take(raw, message));
  }

  bind(raw: Buffer, body: Buffer): Promise<void> | undefined {
    const { own, judged, turns } = this.parts;
    const names = decodeBindNames(body);
    if (turns.isSkipping) return undefined;
    if (this.isUndecided(names.statement))
      return this.onceDecided(names.statement, () => this.bind(raw, body));
    if (own.hasStatement(names.statement)) return turns.answer(() => own.bind(body));
    const refusal =
      refusalOf(() => own.yieldPortal(names.portal)) ??
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
          const expected = this.shapes.learning(link, this.portals.statementToLearn(object.name));
          if (object.name === '') return turns.forwardUnnamed(raw, expected);
          turns.forward(raw, expected);
          return undefined;
        }
        return this.statements.use(link, object.name, (statement) =>
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
      (link) => this.portals.execute(link, raw, message.portal),
      (response) => turns.fail(response),
    );
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
          const undo = prepared.unnamed.end(link);
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

  /** A Query is on its way. */
  querySent(): void {
    this.portals.querySent();
  }

  endOfTransaction(): void {
    this.portals.endOfTransaction();
  }

  sync(raw: Buffer): Promise<void> | undefined {
    const { prepared, turns, hold, own } = this.parts;
    // Nothing was sent to the engine, so nobody else says that the batch's transaction is over.
    if (hold.link === undefined) own.endOfTransaction();
    prepared.endOfBatch(hold.link);
    turns.sync(raw, 'sync');
    return undefined;
  }

  /** As `wholeUse` of `statement-names.ts`. */
  wholeUse(use: SessionUse): SessionUse {
    return wholeUse(use, this.parts.client, this.parts.useOf);
  }

  /** It is about to run. */
  running(use: SessionUse): void {
    const { hold, client } = this.parts;
    hold.running(use);
    for (const name of use.prepared) client.ofSql.add(name);
  }

  /** These have run. */
  ended(link: EngineLink, statements: readonly Statement[]): void {
    noteRan(statements, this.parts.client, link);
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
    const before = this.portals.replace(names.portal, named);
    if (statement !== undefined) {
      const { classified } = statement;
      classified.runs += 1;
      const use = this.wholeUse(useOf(classified));
      const [pin] = this.parts.refusesPins ? use.pins : [];
      if (pin !== undefined)
        return turns.refuse(new HatiError('pinning_refused', { params: { what: pin.detail } }));
      this.running(use);
      if (namesStatements(use)) prepared.exported.add(link, use, true);
      if (use.endsPrepared) own.clear();
      this.portals.note(names.portal, use, classified);
    }
    return this.statements.use(link, names.statement, (known) => {
      const message = known === undefined ? raw : bindTo(known.engine.name, body, names);
      this.portals.bind(message, names.portal, before);
    });
  }
}
