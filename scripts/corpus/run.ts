import type { StatementReader } from '../../src/sql/reader.ts';
import { loadParser, parse } from '../../src/sql/parse.ts';
import { compare, type Comparison } from './comparison.ts';
import type { CorpusFile } from './corpus-file.ts';
import { Oracle, type Answer } from './oracle.ts';
import type { ThrowawayServer } from './server.ts';
import { shapeOf, type Shape } from './shape.ts';
import { createDatabase, CorpusState, dropDatabase } from './state.ts';
import { Judge, startReader, type Verdict } from './verdict.ts';

export interface Case extends Comparison {
  readonly file: string;
  /** From 1. */
  readonly number: number;
  readonly statement: string;
  readonly verdict: Verdict;
  readonly answer: Answer;
}

export interface RunOptions {
  readonly server: ThrowawayServer;
  readonly onCase: (one: Case) => void;
}

/** Files one after the other, each in a database of its own. */
export async function runCorpus(
  files: readonly CorpusFile[],
  { server, onCase }: RunOptions,
): Promise<void> {
  await loadParser();
  const reader = await startReader();
  try {
    for (const [index, file] of files.entries()) {
      const database = `corpus_${index}`;
      await createDatabase(server, database);
      await new FileRun({ file, server, database, reader }).run(onCase);
      await dropDatabase(server, database);
    }
  } finally {
    await reader.close();
  }
}

interface FileRunParts {
  readonly file: CorpusFile;
  readonly server: ThrowawayServer;
  readonly database: string;
  readonly reader: StatementReader;
}

class FileRun {
  readonly #parts: FileRunParts;
  readonly #state: CorpusState;
  readonly #oracle: Oracle;
  readonly #judge: Judge;

  constructor(parts: FileRunParts) {
    const { server, database, reader } = parts;
    this.#parts = parts;
    this.#judge = new Judge(reader, server.login('reader', database));
    this.#state = new CorpusState(server, database);
    this.#oracle = new Oracle({
      server,
      database,
      terminate: (pid) => this.#state.terminate(pid),
    });
  }

  async run(onCase: (one: Case) => void): Promise<void> {
    const { file, statements } = this.#parts.file;
    try {
      for (const [index, statement] of statements.entries()) {
        if (await this.#state.settle()) await this.#judge.look();
        onCase({ file, number: index + 1, statement, ...(await this.#ask(statement)) });
        await this.#state.run(statement);
      }
    } finally {
      await Promise.all([this.#judge.close(), this.#oracle.close(), this.#state.close()]);
    }
  }

  async #ask(statement: string): Promise<Omit<Case, 'file' | 'number' | 'statement'>> {
    const verdict = await this.#judge.verdict(statement);
    const shape = shapeIfReadable(statement);
    const text = verdict.kind === 'allowed' ? (verdict.text ?? statement) : statement;
    const answer = await this.#oracle.ask(text, shape);
    const isGrammatical = shape !== undefined || (await this.#oracle.canParse(statement));
    const isKept = verdict.kind === 'allowed' && answer.kind === 'harmless';
    if (isKept && shape?.session === true) await this.#oracle.keep(text);
    return { verdict, answer, ...compare({ verdict, answer, shape, isGrammatical }) };
  }
}

function shapeIfReadable(statement: string): Shape | undefined {
  try {
    return shapeOf(parse(statement));
  } catch {
    return undefined;
  }
}
