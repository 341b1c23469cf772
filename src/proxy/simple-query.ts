import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { leavesNothing } from '../policy/session-use.ts';
import { readyForQuery } from '../wire/backend-messages.ts';
import { decodeFunctionCall, decodeQuery } from '../wire/decode.ts';
import { query, sync } from '../wire/frontend-messages.ts';
import type { ClientStatements } from './client-statements.ts';
import type { EngineHold } from './engine-hold.ts';
import type { EngineStatements } from './engine-statements.ts';
import type { ExtendedQuery } from './extended-query.ts';
import type { Judgement } from './judgement.ts';
import { answerSimple, type OwnAnswerParts } from './own-answers.ts';
import type { OwnObjects } from './own-objects.ts';
import type { Decision } from './pipeline.ts';
import type { Outcome } from './expected.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { SessionLog } from './session-log.ts';
import type { Outlets, Turns } from './turns.ts';

export interface SimpleQueryParts {
  readonly outlets: Outlets;
  readonly owed: ResponseQueue;
  readonly hold: EngineHold;
  readonly log: SessionLog;
  readonly meter: SessionMeter;
  readonly ownAnswers: OwnAnswerParts;
  readonly turns: Turns;
  readonly own: OwnObjects;
  readonly client: ClientStatements;
  readonly prepared: EngineStatements;
  readonly extended: ExtendedQuery;
  readonly judgement: Judgement;
}

/**
 * Query and FunctionCall: each is a transaction of its own, or part of one, and answered with ReadyForQuery. They are no part of
 * an extended batch, and where one was begun they come in the place of its Sync.
 */
export class SimpleQuery {
  private readonly parts: SimpleQueryParts;

  constructor(parts: SimpleQueryParts) {
    this.parts = parts;
  }

  query(raw: Buffer): Promise<void> | undefined {
    return this.parts.judgement.judge({ text: decodeQuery(raw), parameterTypes: [] }, (decision) =>
      this.onDecision(raw, decision),
    );
  }

  functionCall(raw: Buffer): Promise<void> | undefined {
    const oid = decodeFunctionCall(raw);
    const { turns, judgement, owed, outlets } = this.parts;
    if (turns.isSkipping) return undefined;
    const error = judgement.ofFunctionCall(oid);
    if (owed.hasExecuted && outlets.status() === 'idle') return this.refuseInBatch(error);
    if (error !== undefined) return turns.refuseQuery(error);
    return turns.withEngine(
      (link) => {
        this.endBatch(link);
        turns.forward(raw, 'query');
        return undefined;
      },
      (response) => turns.failQuery(response),
    );
  }

  private onDecision(raw: Buffer, decision: Decision): Promise<void> | undefined {
    const { owed, outlets, turns } = this.parts;
    const isLost = owed.hasExecuted || (owed.isUnsynced && decision.action === 'answer');
    if (isLost && outlets.status() === 'idle')
      return this.refuseInBatch(decision.action === 'refuse' ? decision.error : undefined);
    switch (decision.action) {
      case 'forward':
        return turns.withEngine(
          (link) => this.forward(link, raw, decision),
          (response) => turns.failQuery(response),
          { text: decision.classified },
        );
      case 'refuse':
        return this.refuse(decision.error);
      case 'answer':
        return this.answer(decision);
    }
  }

  /** As with every Query that PostgreSQL looks at, the unnamed statement is gone. */
  private refuse(error: HatiError): undefined {
    const { turns, client, owed } = this.parts;
    const undo = client.endUnnamed(owed);
    return turns.refuseQuery(error, (_, { isDiscarded }) => {
      if (isDiscarded) undo();
    });
  }

  /**
   * PostgreSQL 18 acknowledges both the batch and the Query, and then loses them: its transaction stays open and is
   * given up. So the batch fails here, and the Query is answered as if a Sync stood in its place.
   */
  private async refuseInBatch(error: HatiError | undefined): Promise<void> {
    const { turns, extended } = this.parts;
    if (!(await turns.caughtUp())) return;
    const reason = 'a Query or FunctionCall between extended messages and their Sync';
    turns.refuse(error ?? new HatiError('protocol_violation', { params: { reason } }));
    return extended.sync(sync);
  }

  private forward(
    link: EngineLink,
    raw: Buffer,
    decision: Extract<Decision, { action: 'forward' }>,
  ): Promise<void> | undefined {
    const { classified, text } = decision;
    const { owed, outlets, turns, extended, prepared, hold } = this.parts;
    const { statements } = classified;
    const { use } = extended.runs.whole(classified);
    // It must be known of each message behind a COPY whether the engine reads it as one of that.
    if (use.copiesIn && !owed.isEmpty)
      return turns
        .caughtUp()
        .then((goesOn) => (goesOn ? this.forward(link, raw, decision) : undefined));
    classified.runs += 1;
    hold.running(use);
    const inBatch = this.endBatch(link);
    const undo = prepared.unnamed.end(link);
    const withdraw = prepared.exported.add(link, use, inBatch || use.copiesIn);
    const message = text === undefined ? raw : query(text);
    turns.querySent();
    extended.querySent();
    if (!inBatch && leavesNothing(use)) {
      turns.forward(message, 'query');
      return undefined;
    }
    const cursors = use.declared.map((name) => extended.declaring(name));
    const ends =
      use.endsPrepared ||
      use.resetsSettings ||
      use.deallocated.length + use.prepared.length > 0 ||
      cursors.some((each) => each !== undefined);
    const ran = ends ? statements.map((each) => extended.runs.statementsOf(each)) : [];
    const settle = (done: boolean, { tags, isDiscarded }: Outcome): void => {
      if (isDiscarded) undo();
      else if (use.copiesIn) withdraw?.();
      for (const [at, tag] of tags.entries()) extended.ran(link, ran[at] ?? [], tag);
      for (const each of cursors) each?.(tags.includes('DECLARE CURSOR'));
      // In a transaction block it may still be taken back.
      const [tag] = statements.length === 1 && outlets.status() === 'idle' ? tags : [];
      if (done && tag !== undefined) hold.done(use, tag);
    };
    turns.forward(message, ends || inBatch || use.copiesIn ? { of: 'query', settle } : 'query');
    if (use.copiesIn) return owed.copyKnown();
    if (!ends && !inBatch) {
      withdraw?.();
      return undefined;
    }
    // What comes behind must not be taken for something that this one ends.
    if (ends || withdraw !== undefined)
      return owed.drained().then(() => {
        if (!turns.isSkipping && !outlets.isOver()) withdraw?.();
      });
    return undefined;
  }

  /** A batch without Sync ends at what is no part of it. @returns whether there is one. */
  private endBatch(link: EngineLink): boolean {
    const inBatch = this.parts.owed.isUnsynced;
    this.parts.prepared.endOfBatch(inBatch ? link : undefined);
    return inBatch;
  }

  private async answer({ statements }: Extract<Decision, { action: 'answer' }>): Promise<void> {
    const { outlets, turns, client, ownAnswers, log, meter } = this.parts;
    if (!(await turns.caughtUp())) return;
    client.unnamed = undefined;
    try {
      for (const statement of statements) {
        turns.checkNotFailed();
        outlets.toClient(await answerSimple(ownAnswers, statement));
      }
      const status = outlets.status();
      outlets.toClient(readyForQuery(status));
      meter.ready(status, true);
    } catch (error) {
      turns.failQuery(log.response(error));
    }
  }
}
