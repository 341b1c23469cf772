import type { ThrowawayServer } from '../corpus/server.ts';
import { saveCase, type FoundCase } from './case-file.ts';
import { mutatedStatement, StatementPool } from './mutate-statement.ts';
import { Random } from './random.ts';
import { ownStatements, StatementFuzz, type Decide } from './statement-fuzz.ts';
import { familyOf, type Tally } from './tally.ts';

export interface RunOptions {
  readonly seed: number;
  readonly until: () => boolean;
  readonly tally: Tally;
  readonly say: (line: string) => void;
  /** Where a failure is kept; by default among the fixtures. */
  readonly save?: (found: FoundCase) => string;
}

interface StatementRunOptions extends RunOptions {
  readonly server: ThrowawayServer;
  /** Statements to cut up besides our own. */
  readonly more: readonly string[];
  readonly decide?: Decide;
}

/** The selection as it is, then what is made of it, until the time is over. */
export async function fuzzStatements(options: StatementRunOptions): Promise<void> {
  const { server, seed, until, tally, more, decide } = options;
  const fuzz = await StatementFuzz.start(server, decide);
  try {
    const own = ownStatements();
    const pool = new StatementPool(own, more);
    const before = await fuzz.digest();
    for (let number = 0; !until(); number += 1) {
      const text = own[number] ?? mutatedStatement(pool, Random.ofCase(seed, number));
      const result = await fuzz.try(text);
      if (result.kind === 'failure') await keep(text, result.reason, fuzz, options);
      tally.tried(kindOf(result));
    }
    if ((await fuzz.digest()) !== before) {
      tally.failed('statement: the database was changed', `seed ${seed}`);
    }
  } finally {
    await fuzz.close();
  }
}

function kindOf(result: Awaited<ReturnType<StatementFuzz['try']>>): string {
  if (result.kind === 'refused')
    return result.isGrammatical ? 'statements, refused' : 'statements, not of the grammar';
  return result.kind === 'allowed' ? `statements, allowed: ${result.answer}` : 'statements, failed';
}

async function keep(
  text: string,
  seen: string,
  fuzz: StatementFuzz,
  { tally, say, save = saveCase }: StatementRunOptions,
): Promise<void> {
  const shortest = await fuzz.minimised(text);
  const result = await fuzz.try(shortest);
  const reason = result.kind === 'failure' ? result.reason : `${seen} (once, and not again)`;
  const found: FoundCase = { kind: 'statement', reason, text: shortest };
  const family = familyOf(found);
  if (tally.isKnown(family)) return;
  tally.failed(family, save(found));
  say(`FAILED ${reason}: ${shortest}`);
}
