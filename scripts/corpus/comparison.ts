import type { Answer } from './oracle.ts';
import type { Shape } from './shape.ts';
import { functionRuleCodes, type Verdict } from './verdict.ts';

/** How our verdict on a statement and PostgreSQL's answer stand to each other. */
export interface Comparison {
  /** PostgreSQL's reader ran it without effect, and it is a read by its form. */
  readonly isPlainRead: boolean;
  readonly finding: Finding | undefined;
}

export type Finding =
  | 'allowedWrite'
  | 'refusedRead'
  | 'refusedByFunctionRule'
  /** We could not read it although PostgreSQL could; what is a plain read besides is a refused one as well. */
  | 'notUnderstood';

export interface Compared {
  readonly verdict: Verdict;
  readonly answer: Answer;
  /** Undefined when the grammar in our library cannot read the text. */
  readonly shape: Shape | undefined;
  /** PostgreSQL's own grammar can. */
  readonly isGrammatical: boolean;
}

export function compare({ verdict, answer, shape, isGrammatical }: Compared): Comparison {
  const isPlainRead = answer.kind === 'harmless' && (shape === undefined || shape.reads);
  if (verdict.kind === 'notUnderstood')
    return { isPlainRead, finding: isGrammatical ? 'notUnderstood' : undefined };
  return { isPlainRead, finding: findingOf(verdict, answer, isPlainRead) };
}

function findingOf(
  verdict: Exclude<Verdict, { kind: 'notUnderstood' }>,
  answer: Answer,
  isPlainRead: boolean,
): Finding | undefined {
  if (verdict.kind === 'allowed') return answer.kind === 'writes' ? 'allowedWrite' : undefined;
  if (!isPlainRead) return undefined;
  return functionRuleCodes.has(verdict.code) ? 'refusedByFunctionRule' : 'refusedRead';
}
