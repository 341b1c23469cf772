import { isEngineName } from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import { combined, type SessionUse } from '../policy/session-use.ts';
import type { ClassifiedText, Statement } from '../sql/statement.ts';
import type { ClientStatements } from './client-statements.ts';

/*
 * Names of prepared statements in SQL, which runs (EXECUTE), ends (DEALLOCATE, DISCARD) and makes (PREPARE) statements by them. They
 * are the same names as the protocol's.
 */

/**
 * @param mayKnowMore code that nobody can read has run, and may have prepared something
 * @returns what is wrong with the names in a text.
 */
export function nameFault(
  { statements }: ClassifiedText,
  client: ClientStatements,
  mayKnowMore: boolean,
): HatiError | undefined {
  const made = new Set<string>();
  const freed = new Set<string>();
  let isCleared = false;
  for (const { executed, deallocated, prepared, effects } of statements) {
    const isKnown = (name: string): boolean =>
      made.has(name) ||
      (!isCleared &&
        !freed.has(name) &&
        (client.get(name) !== undefined || client.ofSql.has(name)));
    // What the session did not prepare, another one may have; and names of ours are nobody else's.
    const unknown = mayKnowMore
      ? [...executed, ...deallocated].find(isEngineName)
      : [...executed, ...deallocated].find((name) => !isKnown(name));
    if (unknown !== undefined)
      return new HatiError('prepared_statement_unknown', { params: { name: unknown } });
    const taken = prepared.find(
      (name) =>
        isEngineName(name) || (!isCleared && !freed.has(name) && client.get(name) !== undefined),
    );
    if (taken !== undefined)
      return new HatiError('prepared_statement_exists', { params: { name: taken } });
    for (const name of deallocated) {
      made.delete(name);
      freed.add(name);
    }
    if (effects.includes('endsPrepared')) {
      made.clear();
      isCleared = true;
    }
    for (const name of prepared) made.add(name);
  }
  return undefined;
}

/** It runs or ends statements by name. */
export function namesStatements({ executed, deallocated }: SessionUse): boolean {
  return executed.length + deallocated.length > 0;
}

/** @returns the use of a text, and of what it runs by name, and of what that runs. */
export function wholeUse(
  use: SessionUse,
  client: ClientStatements,
  useOf: (text: ClassifiedText) => SessionUse,
): SessionUse {
  if (use.executed.length === 0) return use;
  const seen = new Set<string>();
  const uses = [use];
  for (const { executed } of uses) {
    for (const name of executed) {
      const statement = seen.has(name) ? undefined : client.get(name);
      seen.add(name);
      if (statement !== undefined) uses.push(useOf(statement.classified));
    }
  }
  return combined(uses);
}

/** Notes what statements that have run made of the names. */
export function noteRan(
  statements: readonly Statement[],
  client: ClientStatements,
  link: EngineLink,
): void {
  for (const { effects, deallocated, prepared } of statements) {
    // Nothing stays prepared: DISCARD ALL, DEALLOCATE ALL.
    if (effects.includes('endsPrepared')) {
      client.clear();
      link.statements.clear();
    }
    for (const name of deallocated) {
      client.remove(name);
      client.ofSql.delete(name);
    }
    for (const name of prepared) client.ofSql.add(name);
  }
}
