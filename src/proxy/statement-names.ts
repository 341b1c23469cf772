import { isEngineName } from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import { HatiError } from '../errors.ts';
import type { SessionUse } from '../policy/session-use.ts';
import type { ClassifiedText, Statement } from '../sql/statement.ts';
import type { ClientStatements } from './client-statements.ts';
import type { ExportedStatements } from './exported-statements.ts';
import type { OwnObjects } from './own-objects.ts';

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
      mayKnowMore || made.has(name) || (!isCleared && !freed.has(name) && client.has(name));
    // What the session did not prepare, another one may have; and names of ours are nobody else's.
    const unknown = [...executed, ...deallocated].find(
      (name) => isEngineName(name) || !isKnown(name),
    );
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

/** What is known by name. */
export interface NamedParts {
  readonly client: ClientStatements;
  readonly own: OwnObjects;
  readonly exported: ExportedStatements;
}

/**
 * Notes what a statement made of the names.
 * @param ran the statement, and those that it ran by name: one of them did what the engine says
 * @param tag what the engine says
 */
export function noteRan(
  link: EngineLink,
  ran: readonly Statement[],
  tag: string,
  { client, own, exported }: NamedParts,
): void {
  switch (tag) {
    case 'DISCARD ALL':
    case 'DEALLOCATE ALL':
      client.clear();
      own.clear();
      exported.ended();
      link.statements.clear();
      break;
    case 'DEALLOCATE':
      for (const name of ran.flatMap(({ deallocated }) => deallocated)) {
        client.remove(name);
        exported.ended(name);
      }
      break;
    case 'PREPARE':
      for (const name of ran.flatMap(({ prepared }) => prepared)) client.ofSql.add(name);
      break;
  }
}
