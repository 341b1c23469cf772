import { isUnrestricted } from '../../policy/authority.ts';
import { withStandIns } from '../../sql/stand-ins.ts';
import type { StatementRequest, Step, StepResult } from '../pipeline.ts';
import { read } from './read.ts';

/**
 * Puts the part that a key may see in the place of a system view, and the longest time limit that it may have in
 * the place of none. The new text is read again: what is judged is what the engine gets. Where it can't be done (COPY, TABLE), the
 * statement stays as it is and is refused by name.
 */
export const standIn: Step = (request) => {
  const { classified, principal, text, replacement } = request;
  if (classified === undefined) throw new Error('stand-in comes after read');
  if (!classified.statements.some(({ standIns }) => standIns.length > 0)) return undefined;
  const all = classified.statements.flatMap((statement) => statement.standIns);
  const isRestricted = !isUnrestricted(principal.authority);
  const places = all.filter(
    (place) => isRestricted || (place.kind === 'view' && place.isForEveryKey),
  );
  if (places.length === 0) return undefined;
  const replaced = withStandIns(
    replacement === undefined ? text : Buffer.from(replacement),
    places,
  );
  if (replaced === undefined) return undefined;
  const before = { classified, text, replacement };
  request.text = Buffer.from(replaced);
  const result = read(request);
  return result instanceof Promise
    ? result.then((decision) => settle(request, replaced, before, decision))
    : settle(request, replaced, before, result);
};

function settle(
  request: StatementRequest,
  replaced: string,
  before: Pick<StatementRequest, 'classified' | 'text' | 'replacement'>,
  decision: StepResult,
): undefined {
  if (decision === undefined) request.replacement ??= replaced;
  else Object.assign(request, before);
}
