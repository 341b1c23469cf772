/**
 * Statements made of pieces of others, with something hostile among them: what a readonly key would be let run is run by
 * PostgreSQL's reader as well, and must not write there. Nothing of it stays: each is rolled back.
 */
import { readFileSync } from 'node:fs';
import { Oracle, type Answer } from '../corpus/oracle.ts';
import type { ThrowawayServer } from '../corpus/server.ts';
import { Session } from '../corpus/session.ts';
import { shapeOf } from '../corpus/shape.ts';
import { createDatabase, CorpusState } from '../corpus/state.ts';
import { Judge, startReader, type Verdict } from '../corpus/verdict.ts';
import { parse } from '../../src/sql/parse.ts';
import type { StatementReader } from '../../src/sql/reader.ts';
import { digestOf } from './digest.ts';
import { minimised } from './minimise.ts';
import { tryOtherLiterals } from './other-literals.ts';
import { Random } from './random.ts';
import { textOf, cut } from './tokens.ts';

const database = 'fuzz';
const fixture = (name: string): string =>
  readFileSync(new URL(`../../test/fixtures/fuzz/${name}`, import.meta.url), 'utf8');

/** The selection of our own, one statement a line. */
export function ownStatements(): readonly string[] {
  return fixture('statements.sql')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('--'))
    .map((line) => line.replace(/;$/, ''));
}

/** What became of one text. */
export type StatementResult =
  | { readonly kind: 'refused'; readonly isGrammatical: boolean }
  /** PostgreSQL's reader ran it without effect, or could not for a reason of its own. */
  | { readonly kind: 'allowed'; readonly answer: Exclude<Answer['kind'], 'writes'> }
  | { readonly kind: 'failure'; readonly reason: string };

export type Decide = (text: string) => Promise<Verdict>;

export class StatementFuzz {
  readonly #reader: StatementReader;
  readonly #judge: Judge;
  readonly #oracle: Oracle;
  readonly #state: CorpusState;
  readonly #decide: Decide;

  private constructor(server: ThrowawayServer, reader: StatementReader, decide?: Decide) {
    this.#reader = reader;
    this.#judge = new Judge(reader, server.login('reader', database));
    this.#state = new CorpusState(server, database);
    this.#oracle = new Oracle({ server, database, terminate: (pid) => this.#state.terminate(pid) });
    this.#decide = decide ?? ((text) => this.#verdict(text));
  }

  /** @param decide in place of the product's verdict, for a test that takes it out. */
  static async start(server: ThrowawayServer, decide?: Decide): Promise<StatementFuzz> {
    await createDatabase(server, database);
    const owner = new Session({
      login: server.login('owner', database),
      deadlineMs: 10_000,
      terminate: () => Promise.resolve(),
    });
    await owner.rows(fixture('schema.sql'));
    await owner.close();
    const fuzz = new StatementFuzz(server, await startReader(), decide);
    await fuzz.#state.settle();
    await fuzz.#judge.look();
    return fuzz;
  }

  async try(text: string): Promise<StatementResult> {
    const { fault } = tryOtherLiterals(text, new Random(text.length), 2);
    if (fault !== undefined) return { kind: 'failure', reason: fault };
    const verdict = await this.#decide(text);
    const shape = shapeIfReadable(text);
    if (verdict.kind !== 'allowed') return { kind: 'refused', isGrammatical: shape !== undefined };
    const answer = await this.#oracle.ask(verdict.text ?? text, shape);
    return answer.kind === 'writes'
      ? { kind: 'failure', reason: answer.reason }
      : { kind: 'allowed', answer: answer.kind };
  }

  /** No text may depend on what others have set. */
  async #verdict(text: string): Promise<Verdict> {
    this.#judge.beginSession();
    return await this.#judge.verdict(text);
  }

  /** The shortest text found that fails like this one. */
  async minimised(text: string): Promise<string> {
    const tokens = cut(text)?.tokens ?? [text];
    const shortest = await minimised(tokens, async (fewer) => {
      return (await this.try(textOf(fewer))).kind === 'failure';
    });
    return textOf(shortest);
  }

  /** Nothing that was tried may have stayed. */
  async digest(): Promise<string> {
    return await digestOf((sql) => this.#state.look(sql));
  }

  async close(): Promise<void> {
    await Promise.all([this.#judge.close(), this.#oracle.close(), this.#state.close()]);
    await this.#reader.close();
  }
}

function shapeIfReadable(text: string): ReturnType<typeof shapeOf> | undefined {
  try {
    return shapeOf(parse(text));
  } catch {
    return undefined;
  }
}
