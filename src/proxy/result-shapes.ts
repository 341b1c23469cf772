import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import { describeStatement } from '../wire/frontend-messages.ts';
import { resultShape } from '../wire/result-shape.ts';
import type { ClientStatement } from './client-statements.ts';
import { nothing, type Noted } from './expected.ts';
import type { Turns } from './turns.ts';

/**
 * Drivers remember the columns of a prepared statement and read rows by that. PostgreSQL refuses to execute one whose columns have
 * changed since it was prepared; but where another connection comes, or the statement has to be prepared again, it does not know of
 * before. So the first time that a connection is to execute what the client was told about, it is asked whether it means the same.
 */
export class ResultShapes {
  private readonly turns: Turns;

  constructor(turns: Turns) {
    this.turns = turns;
  }

  /** For the client's Describe of the statement, or of a portal made of it. */
  learning(link: EngineLink, statement: ClientStatement | undefined): Noted | 'describe' {
    if (statement === undefined || statement.shape !== undefined) return 'describe';
    const { engine } = statement;
    return {
      of: 'describe',
      settle: (_, { description }) => {
        if (description === undefined) return;
        statement.shape = resultShape(description);
        link.statements.shapes.set(engine, statement.shape);
      },
    };
  }

  /** @returns a promise where it has to be asked, else undefined: it is the same. */
  check(
    link: EngineLink,
    statement: ClientStatement,
  ): Promise<'same' | 'changed' | 'skipped'> | undefined {
    const { shape, engine } = statement;
    const { shapes } = link.statements;
    if (shape === undefined || shapes.get(engine) === shape) return undefined;
    if (!shapes.has(engine))
      this.turns.forward(describeStatement(engine.name), {
        of: 'describe',
        shows: nothing,
        settle: (_, { description }) => {
          if (description !== undefined) shapes.set(engine, resultShape(description));
        },
      });
    return this.turns.caughtUp().then((goesOn) => {
      if (!goesOn) return 'skipped';
      return shapes.get(engine) === shape ? 'same' : 'changed';
    });
  }

  refuse(): undefined {
    return this.turns.refuse(new HatiError('prepared_result_changed'));
  }
}
