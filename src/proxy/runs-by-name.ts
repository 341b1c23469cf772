import { HatiError } from '../errors.ts';
import { combined, type SessionUse } from '../policy/session-use.ts';
import { first } from '../shared/first.ts';
import type { ClassifiedText, Statement } from '../sql/statement.ts';
import type { ClientStatements } from './client-statements.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import { nameFault } from './statement-names.ts';

export interface RunsByNameParts {
  readonly client: ClientStatements;
  readonly judged: PreparedStatements;
  readonly useOf: (text: ClassifiedText) => SessionUse;
  /** What a portal was made of, where it may run something by name. */
  readonly textOfPortal: (name: string) => ClassifiedText | undefined;
  readonly isUndecided: (name: string) => boolean;
  readonly isPortalUndecided: (name: string) => boolean;
  /** What would keep an engine connection is refused. */
  readonly refusesPins: boolean;
  /** Code that nobody can read has run, and may have prepared something. */
  readonly mayKnowMore: () => boolean;
}

/** A text with all that it runs. */
export interface Whole {
  /** The text itself is the first. */
  readonly texts: readonly ClassifiedText[];
  readonly use: SessionUse;
}

/**
 * What SQL runs by name: statements (EXECUTE), and portals (FETCH and MOVE), which may EXECUTE in turn. PostgreSQL looks at the names
 * when the text is executed, not when it is prepared or bound: so this is asked at each of these.
 */
export class RunsByName {
  private readonly parts: RunsByNameParts;

  constructor(parts: RunsByNameParts) {
    this.parts = parts;
  }

  /** What is behind the names of a text depends on answers that are still to come. */
  areUndecided({ statements, names }: ClassifiedText): boolean {
    if (!names) return false;
    const { isUndecided, isPortalUndecided } = this.parts;
    return statements.some(
      ({ executed, deallocated, prepared, fetched }) =>
        executed.some(isUndecided) ||
        deallocated.some(isUndecided) ||
        prepared.some(isUndecided) ||
        fetched.some(isPortalUndecided),
    );
  }

  whole(text: ClassifiedText): Whole {
    const { useOf } = this.parts;
    if (!text.names) return { texts: [text], use: useOf(text) };
    const texts = this.textsOf(text.statements, [text]);
    return { texts, use: combined(texts.map(useOf)) };
  }

  /** The statement, and those that it runs. */
  statementsOf(statement: Statement): readonly Statement[] {
    return [statement, ...this.textsOf([statement], []).flatMap(({ statements }) => statements)];
  }

  /** The refusal, if it may not run: for what it would keep, or for what it runs. */
  fault({ texts, use }: Whole): HatiError | undefined {
    const { refusesPins, judged } = this.parts;
    const nested = first(texts, (text) => this.nested(text));
    if (nested !== undefined) return nested;
    const [pin] = refusesPins ? use.pins : [];
    if (pin !== undefined)
      return new HatiError('pinning_refused', { params: { what: pin.detail } });
    if (use.executed.length === 0) return undefined;
    return first(use.executed, (name) => judged.recheckExecuted(name));
  }

  /**
   * Where one runs another that runs another, they could come round to the first. To tell what they give, PostgreSQL follows them
   * without end: statements until its stack is full and the whole server goes down, portals for ever, and no signal but SIGKILL ends that.
   */
  private nested({ names, statements }: ClassifiedText): HatiError | undefined {
    if (!names) return undefined;
    const { client, textOfPortal } = this.parts;
    return first(statements, ({ executed, fetched }) => {
      const name =
        executed.find((each) => client.get(each)?.classified.statements.some(runsByName)) ??
        fetched.find((each) => textOfPortal(each)?.statements.some(fetches));
      return name === undefined
        ? undefined
        : new HatiError('runs_by_name_nested', { params: { name } });
    });
  }

  /** What is wrong with the names in the text itself. */
  nameFault(text: ClassifiedText): HatiError | undefined {
    const { client, mayKnowMore } = this.parts;
    if (!text.names) return undefined;
    return nameFault(text, client, mayKnowMore());
  }

  private textsOf(
    statements: readonly Statement[],
    texts: readonly ClassifiedText[],
  ): readonly ClassifiedText[] {
    if (!statements.some(runsByName)) return texts;
    const { client, textOfPortal } = this.parts;
    const all = new Set(texts);
    const add = (text: ClassifiedText | undefined): void => {
      if (text !== undefined) all.add(text);
    };
    const look = ({ executed, fetched }: Statement): void => {
      for (const name of executed) add(client.get(name)?.classified);
      for (const name of fetched) add(textOfPortal(name));
    };
    statements.forEach(look);
    // A Set goes on with what is added while it is walked.
    for (const each of all) each.statements.forEach(look);
    return [...all];
  }
}

export function runsByName({ executed, fetched }: Statement): boolean {
  return executed.length + fetched.length > 0;
}

function fetches({ fetched }: Statement): boolean {
  return fetched.length > 0;
}
