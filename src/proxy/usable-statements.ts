import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { ClientStatement, ClientStatements } from './client-statements.ts';
import type { EngineStatements } from './engine-statements.ts';
import type { ResultShapes } from './result-shapes.ts';
import type { Turns } from './turns.ts';

export interface UsableStatementsParts {
  readonly turns: Turns;
  readonly client: ClientStatements;
  readonly prepared: EngineStatements;
  readonly shapes: ResultShapes;
}

/** What a Bind or Describe needs of the statement that it names: the engine has it, and it gives what the client was told. */
export class UsableStatements {
  private readonly parts: UsableStatementsParts;

  constructor(parts: UsableStatementsParts) {
    this.parts = parts;
  }

  /**
   * Goes on with the statement; where it can't be used, that is answered here.
   * @param then gets it, undefined where it was prepared in SQL or has no name, and the engine's name for it.
   */
  use(
    link: EngineLink,
    name: string,
    then: (statement: ClientStatement | undefined, engineName: string) => void,
  ): Promise<void> | undefined {
    const { client, prepared, turns } = this.parts;
    const { exported } = prepared;
    if (name === '') {
      if (client.unnamed !== undefined) exported.addPrepared(link, client.unnamed.classified);
      const engineName = prepared.useUnnamed(link);
      if (engineName !== undefined) then(undefined, engineName);
      else turns.refuse(new HatiError('unnamed_statement_unknown'));
      return undefined;
    }
    const statement = client.get(name);
    if (statement !== undefined) {
      exported.addPrepared(link, statement.classified);
      return prepared.ensure(link, statement) ? this.checked(link, statement, then) : undefined;
    }
    if (client.ofSql.has(name)) then(undefined, name);
    else turns.refuse(new HatiError('prepared_statement_unknown', { params: { name } }));
    return undefined;
  }

  /** Where its result is not what the client was told, the client gets an error. */
  private checked(
    link: EngineLink,
    statement: ClientStatement,
    then: (statement: ClientStatement, engineName: string) => void,
  ): Promise<void> | undefined {
    const { shapes } = this.parts;
    const checking = shapes.check(link, statement);
    if (checking === undefined) {
      then(statement, statement.engine.name);
      return undefined;
    }
    return checking.then((result) => {
      if (result === 'same') then(statement, statement.engine.name);
      else if (result === 'changed') shapes.refuse();
    });
  }
}
