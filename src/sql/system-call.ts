import type { Node } from '@pgsql/types';
import type { Findings } from './findings.ts';
import { keyFunctionCall, keyFunctionForms } from './key-function.ts';
import {
  keyFunctionNames,
  type FunctionRef,
  type KeyFunctionName,
  type SystemCall,
} from './statement.ts';

/**
 * Which statements are ours to answer: the key functions, reads over `_hatidata_keys` and `_hatidata_status`, and the
 * `hatidata*` session parameters. Anything else that names them is `misused`: it is refused with the form that works, and never sent on.
 */

/** Clients make schemas named `_hatidata_…_local` of their own; only these are ours. */
export const keySchema = '_hatidata_keys';
export const statusSchema = '_hatidata_status';
const examples: ReadonlyMap<string, string> = new Map([
  [keySchema, `${keySchema}.active_keys`],
  [statusSchema, `${statusSchema}.clients`],
]);
const schemas: readonly string[] = [...examples.keys()];
const sessionPrefix = 'hatidata';

export interface WalkedStatement {
  readonly node: Node;
  readonly findings: Findings;
}

/** One entry a statement, `undefined` for those that the engine answers. */
export function systemCallsOfText(
  statements: readonly WalkedStatement[],
): readonly (SystemCall | undefined)[] {
  const calls = statements.map(systemCall);
  const kinds = new Set(calls.map((call) => call?.kind));
  const answeredInTurn = [...kinds].every(
    (kind) => kind === 'keyFunction' || kind === 'sessionParameter',
  );
  if (calls.length <= 1 || answeredInTurn) return calls;
  return calls.map((call) =>
    call === undefined || call.kind === 'misused' ? call : notAlone(call),
  );
}

function notAlone(call: SystemCall): SystemCall {
  const hint = 'Send it as a statement of its own, not in one text with other statements.';
  const what =
    call.kind === 'keyFunction'
      ? call.name
      : call.kind === 'systemRead'
        ? call.schema
        : 'a hatidata parameter';
  return { kind: 'misused', what, hint, adminOnly: call.kind !== 'sessionParameter' };
}

function systemCall({ node, findings }: WalkedStatement): SystemCall | undefined {
  const keyFunction = findings.functions.find(isKeyFunction);
  if (keyFunction) {
    const call = keyFunctionCall(node);
    if (call && findings.functions.length === 1) return call;
    return {
      kind: 'misused',
      what: keyFunction.name,
      hint: keyFunctionForms[keyFunction.name],
      adminOnly: true,
    };
  }
  return ownRelationUse(node, findings) ?? sessionParameter(node, findings);
}

function isKeyFunction(ref: FunctionRef): ref is FunctionRef & { name: KeyFunctionName } {
  const names: readonly string[] = keyFunctionNames;
  return ref.schema === undefined && names.includes(ref.name);
}

function ownRelationUse(node: Node, findings: Findings): SystemCall | undefined {
  const ours = schemas.find((schema) =>
    findings.relations.some((relation) => relation.schema === schema),
  );
  const isRead =
    'SelectStmt' in node &&
    findings.acts.every((act) => act.class === 'read') &&
    !findings.settings.length;
  if (ours !== undefined && isRead) {
    const others = findings.relations.filter((relation) => !isSystemRelation(relation));
    if (others.length === 0) return { kind: 'systemRead', schema: ours };
    return misusedRelation(
      ours,
      'It can be joined with the system catalogues only; read it in a query of its own.',
    );
  }
  const reads = findings.acts.every((act) => act.class === 'read');
  // DROP, GRANT, SET SCHEMA and their like hold names as plain strings; in a read such a string is a column's qualifier.
  const mentioned = ours ?? (reads ? undefined : schemas.find((schema) => mentions(node, schema)));
  if (mentioned === undefined) return undefined;
  return misusedRelation(
    mentioned,
    `Only a SELECT reads it, as a statement of its own: SELECT * FROM ${examples.get(mentioned)}.`,
  );
}

function misusedRelation(what: string, hint: string): SystemCall {
  return { kind: 'misused', what, hint, adminOnly: true };
}

/** Whether a name occurs anywhere in the tree, values left out. */
function mentions(node: Node, name: string): boolean {
  const stack: unknown[] = [node];
  while (stack.length > 0) {
    const value = stack.pop();
    if (value === name) return true;
    if (typeof value !== 'object' || value === null || 'A_Const' in value) continue;
    for (const child of Object.values(value)) stack.push(child);
  }
  return false;
}

function isSystemRelation({ schema, name }: { schema: string | undefined; name: string }): boolean {
  if (schema === undefined) return name.startsWith('pg_');
  return schemas.includes(schema) || schema === 'pg_catalog' || schema === 'information_schema';
}

function sessionParameter(node: Node, findings: Findings): SystemCall | undefined {
  const [change, ...more] = findings.settings;
  const isStatement = 'VariableSetStmt' in node || 'VariableShowStmt' in node;
  if (!change || more.length > 0 || !isStatement || !change.name?.startsWith(sessionPrefix))
    return undefined;
  if (change.values !== undefined) return { kind: 'sessionParameter', change };
  const hint = `Give it a constant: SET ${change.name} = 'value'.`;
  return { kind: 'misused', what: change.name, hint, adminOnly: false };
}
