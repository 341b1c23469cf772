import { HatiError } from '../../errors.ts';
import type { Statement } from '../../sql/statement.ts';
import { engineApplicationName } from '../engine-session.ts';
import type { Step } from '../pipeline.ts';
import { read } from './read.ts';

/**
 * `application_name` tells the engine's operator which agent runs what (pg_stat_activity, the log). A client may
 * change its part of the name; the agent's part stays.
 *
 * The text that this puts in place of the client's is read again: what the next step judges is what the engine gets.
 */
export const identify: Step = (request) => {
  const { classified, principal } = request;
  if (classified === undefined) throw new Error('identify comes after read');
  if (!classified.statements.some(changesApplicationName)) return undefined;
  const texts: string[] = [];
  for (const statement of classified.statements) {
    const change = changesApplicationName(statement);
    if (change === undefined) {
      texts.push(statement.text);
    } else if (statement.node === 'VariableSetStmt' && change.values?.length === 1) {
      const name = engineApplicationName(principal.agent, change.values[0]);
      texts.push(
        `SET ${change.local ? 'LOCAL ' : ''}application_name = '${name.replaceAll("'", "''")}'`,
      );
    } else {
      return {
        action: 'refuse',
        error: new HatiError('setting_not_allowed', {
          params: { setting: 'application_name' },
          hint: "Use SET application_name = '…'.",
        }),
      };
    }
  }
  // On a line of its own, a semicolon ends the statement even behind a comment.
  const replacement = texts.join('\n;\n');
  request.text = Buffer.from(replacement, 'utf8');
  const result = read(request);
  const keep = (): undefined => {
    request.replacement ??= replacement;
    return undefined;
  };
  return result instanceof Promise
    ? result.then((decision) => decision ?? keep())
    : (result ?? keep());
};

function changesApplicationName(statement: Statement): Statement['settings'][number] | undefined {
  return statement.settings.find(
    (change) =>
      change.operation === 'set' &&
      change.name === 'application_name' &&
      change.target === 'session' &&
      // SET … TO DEFAULT goes back to the name that the session began with.
      change.values?.length !== 0,
  );
}
