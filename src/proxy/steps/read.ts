import { HatiError } from '../../errors.ts';
import type { Principal } from '../../ports.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import type { StatementRequest, Step, StepResult } from '../pipeline.ts';

/** Reads the text with PostgreSQL's grammar and classifies every statement in it. What can't be read is refused. */
export const read: Step = (request) => {
  try {
    const result = request.parts.reader.read(request.text, sourceOf(request.principal));
    if (result instanceof Promise) {
      return result.then((classified) => accept(request, classified), refuse);
    }
    return accept(request, result);
  } catch (error) {
    return refuse(error);
  }
};

function accept(request: StatementRequest, classified: ClassifiedText): StepResult {
  request.classified = classified;
  request.replacement = classified.rewritten;
  return undefined;
}

function refuse(error: unknown): StepResult {
  if (error instanceof HatiError) return { action: 'refuse', error };
  throw error;
}

/** Texts of one key wait behind each other for a parser, not those of others. */
function sourceOf(principal: Principal): string {
  return principal.kind === 'key' ? principal.keyId : principal.kind;
}
