import type { ClassifiedText } from '../sql/statement.ts';
import { leavesNothing, type SessionUse } from './session-use.ts';

/**
 * Whether the text is one read that changes nothing, neither in the database nor in its session, and holds nothing that outlives
 * it: where nobody has seen its answer it can be run again, and it does not matter who else uses its connection before and
 * behind it. The functions that it may run are those that anybody may call (`builtin-functions.ts`): they only compute.
 */
export function isRepeatable({ statements }: ClassifiedText, use: SessionUse): boolean {
  const [statement] = statements;
  return (
    statement?.node === 'SelectStmt' &&
    statements.length === 1 &&
    statement.system === undefined &&
    leavesNothing(use) &&
    statement.acts.every((act) => act.class === 'read')
  );
}
