import type { EngineLink } from '../engine/pool/link.ts';
import type { SessionUse } from '../policy/session-use.ts';
import type { ClassifiedText, Statement } from '../sql/statement.ts';
import {
  decodeBindNames,
  decodeExecute,
  decodeObjectName,
  decodeParse,
  type BindNames,
} from '../wire/decode.ts';
import { bindTo, describeStatement } from '../wire/frontend-messages.ts';
import type { EngineHold } from './engine-hold.ts';
import { ExtendedParse, type ExtendedParseParts } from './extended-parse.ts';
import { Portals } from './portals.ts';
import { refusalOf } from './refusal-of.ts';
import { ResultShapes } from './result-shapes.ts';
import { RunsByName } from './runs-by-name.ts';
import { namesStatements, noteRan } from './statement-names.ts';
import { UsableStatements } from './usable-statements.ts';

export interface ExtendedQueryParts extends ExtendedParseParts {
  readonly hold: EngineHold;
  /** As of `RunsByNameParts`. */
  readonly refusesPins: boolean;
  readonly mayKnowMore: () => boolean;
  readonly useOf: (text: ClassifiedText) => SessionUse;
}

/**
 * The messages of the extended protocol. A statement is judged at Parse (`extended-parse.ts`) and carries its verdict with it; what
 * it is called on the engine's side is ours (`engine-statements.ts`). Portals keep their names (`portals.ts`).
 */
export class ExtendedQuery {
  readonly runs: RunsByName;
  private readonly parts: ExtendedQueryParts;
  private readonly parsing: ExtendedParse;
  private readonly shapes: ResultShapes;
  private readonly statements: UsableStatements;
  private readonly portals: Portals;

  constructor(parts: ExtendedQueryParts) {
    const { turns, client, own, judged, prepared, owed, hold, useOf } = parts;
    const { exported } = prepared;
    this.parts = parts;
    this.parsing = new ExtendedParse(parts);
    this.shapes = new ResultShapes(turns);
    this.statements = new UsableStatements({ turns, client, prepared, shapes: this.shapes });
    this.runs = new RunsByName({
      client,
      judged,
      useOf,
      refusesPins: parts.refusesPins,
      mayKnowMore: parts.mayKnowMore,
      isUndecided: (name) => this.isUndecided(name),
      isPortalUndecided: (name) => this.portals.isUndecided(name),
      textOfPortal: (name) => this.portals.textOf(name),
    });
    this.portals = new Portals({
      turns,
      client,
      own,
      judged,
      owed,
      hold,
      useOf,
      exported,
      runs: this.runs,
    });
  }

  /** What is behind the name depends on answers that are still to come. */
  isUndecided(name: string): boolean {
    const { client, judged, own, owed } = this.parts;
    if (client.isUndecided(name, owed)) return true;
    return !owed.isEmpty && (judged.isCrowded(name) || own.hasStatement(name));
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

  parse(raw: Buffer): Promise<void> | undefined {
    const message = decodeParse(raw);
    if (this.parts.turns.isSkipping) return undefined;
    return this.onceDecided(message.name, () => this.parsing.take(raw, message));
  }

  bind(raw: Buffer): Promise<void> | undefined {
    const { own, judged, turns, owed, client } = this.parts;
    const names = decodeBindNames(raw);
    if (turns.isSkipping) return undefined;
    if (this.isUndecided(names.statement))
      return this.onceDecided(names.statement, () => this.bind(raw));
    if (own.hasStatement(names.statement)) return turns.answer(() => own.bind(raw));
    const replaces = { kind: 'portal', name: names.portal } as const;
    if (this.runsUndecided(names.statement) || (own.has(replaces) && !owed.isEmpty))
      return this.decided().then((goesOn) => (goesOn ? this.bind(raw) : undefined));
    const refusal =
      refusalOf(() => own.yieldPortal(names.portal)) ??
      judged.recheck(names.statement) ??
      judged.checkValues(names.statement, raw);
    if (refusal !== undefined) return turns.refuse(refusal);
    const named = client.get(names.statement);
    const prepared = names.statement === '' ? client.unnamed : named;
    return turns.withEngine(
      (link) => this.forwardBind(link, raw, names),
      (response) => turns.fail(response),
      prepared && { text: prepared.classified, under: prepared.under, named },
    );
  }

  describe(raw: Buffer): Promise<void> | undefined {
    const { own, turns } = this.parts;
    const object = decodeObjectName(raw, 'Describe');
    if (turns.isSkipping) return undefined;
    if (object.kind === 'statement' && this.isUndecided(object.name))
      return this.onceDecided(object.name, () => this.describe(raw));
    if (own.has(object)) return turns.answer(() => own.describe(object));
    return turns.withEngine(
      (link) => {
        if (object.kind === 'portal') {
          const expected = this.shapes.learning(link, this.portals.statementToLearn(object.name));
          if (object.name === '') return turns.forwardUnnamed(raw, expected);
          turns.forward(raw, expected);
          return undefined;
        }
        return this.statements.use(link, object.name, (statement, engineName) =>
          turns.forward(
            engineName === object.name ? raw : describeStatement(engineName),
            this.shapes.learning(link, statement),
          ),
        );
      },
      (response) => turns.fail(response),
    );
  }

  execute(raw: Buffer): Promise<void> | undefined {
    const { own, turns } = this.parts;
    const message = decodeExecute(raw);
    // What is malformed ends the session, skipped or not: whether it is skipped depends on what the engine has said so far.
    if (turns.isSkipping) return undefined;
    if (own.has({ kind: 'portal', name: message.portal }))
      return turns.answer(() => own.execute(message));
    return turns.withEngine(
      (link) => this.portals.execute(link, raw, message.portal),
      (response) => turns.fail(response),
    );
  }

  close(raw: Buffer): Promise<void> | undefined {
    const { own, turns, judged, prepared } = this.parts;
    const object = decodeObjectName(raw, 'Close');
    if (turns.isSkipping) return undefined;
    if (object.kind === 'statement' && this.isUndecided(object.name))
      return this.onceDecided(object.name, () => this.close(raw));
    // Closing is allowed in a failed transaction, too.
    if (own.has(object)) return turns.answer(() => own.close(object), 'always');
    return turns.withEngine(
      (link) => {
        if (object.kind === 'portal') this.portals.close(raw, object.name);
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
        } else prepared.close(link, object.name, judged.closed(object.name));
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

  /** As `Portals.declaring`. */
  declaring(name: string): ((done: boolean) => void) | undefined {
    return this.portals.declaring(name);
  }

  /** As `noteRan`. */
  ran(link: EngineLink, ran: readonly Statement[], tag: string): void {
    const { client, own, prepared } = this.parts;
    noteRan(link, ran, tag, { client, own, exported: prepared.exported });
  }

  /** What the statement runs by name depends on answers that are still to come. */
  private runsUndecided(name: string): boolean {
    const text = this.statementOf(name)?.classified;
    return text !== undefined && this.runs.areUndecided(text);
  }

  private statementOf(name: string): { readonly classified: ClassifiedText } | undefined {
    const { client } = this.parts;
    return name === '' ? client.unnamed : client.get(name);
  }

  private forwardBind(link: EngineLink, raw: Buffer, names: BindNames): Promise<void> | undefined {
    const { turns, prepared, hold } = this.parts;
    const classified = this.statementOf(names.statement)?.classified;
    if (classified !== undefined) {
      const whole = this.runs.whole(classified);
      const refusal = this.runs.fault(whole);
      if (refusal !== undefined) return turns.refuse(refusal);
      classified.runs += 1;
      hold.running(whole.use);
      if (namesStatements(whole.use)) prepared.exported.add(link, whole.use, true);
    }
    return this.statements.use(link, names.statement, (statement, engineName) => {
      const message = engineName === names.statement ? raw : bindTo(engineName, raw, names);
      const made = classified && { name: names.statement, classified, statement };
      this.portals.bind(message, names.portal, made);
    });
  }
}
