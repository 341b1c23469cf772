import type { Node } from '@pgsql/types';
import { isTemporarySchema } from './definition-rules.ts';
import type { Findings } from './findings.ts';
import { grammar, type NodeName } from './grammar.ts';
import { messageFields } from './message-fields.ts';

/**
 * Visits every node of a statement by reflection, never clause by clause: a function hides as well in LIMIT, in a
 * window frame or in TABLESAMPLE as in a select list. What is not understood becomes an act of class `unknown`.
 *
 * The walk keeps its own stack, so the depth of a text cannot overflow ours. The one thing that depends on where a
 * node stands is whether a name in FROM means a CTE; each visit carries the CTE names in sight.
 */

type Fields = Readonly<Record<string, unknown>>;
type Scope = ReadonlySet<string>;

interface Visit {
  readonly name: string;
  readonly fields: Fields;
  readonly parent: NodeName | undefined;
  readonly ctes: Scope;
  /** The node stood where any node may stand, so a relation here may be a CTE; a target of INSERT never is. */
  readonly wrapped: boolean;
}

const noCtes: Scope = new Set();

export function walk(statement: Node, findings: Findings): void {
  const stack: Visit[] = [];
  pushNode(stack, statement, undefined, noCtes, findings);
  for (let visit = stack.pop(); visit; visit = stack.pop()) visitNode(visit, stack, findings);
}

function visitNode(visit: Visit, stack: Visit[], findings: Findings): void {
  const { name, fields } = visit;
  if (!isKnown(name)) {
    findings.act({ class: 'unknown', verb: name });
    return;
  }
  applyRule(name, visit, findings);
  const ctes = scopeOfBody(fields, visit.ctes);
  const messages = messageFields.get(name);
  // Last pushed is first visited: backwards, so that findings come in the order of the text.
  const names = Object.keys(fields);
  for (let index = names.length - 1; index >= 0; index -= 1) {
    const field = names[index]!;
    const value = fields[field];
    if (typeof value !== 'object') continue;
    if (name === 'LockingClause' && field === 'lockedRels') continue; // aliases, not relations
    if (name === 'WithClause' && field === 'ctes') pushCtes(stack, fields, visit.ctes, findings);
    else {
      const scope = field === 'withClause' ? visit.ctes : ctes;
      pushValue(
        stack,
        value,
        { message: messages?.get(field), parent: name, ctes: scope },
        findings,
      );
    }
  }
}

function isKnown(name: string): name is NodeName {
  return grammar.has(name) && grammar.get(name) !== 'unknown';
}

function applyRule(name: NodeName, visit: Visit, findings: Findings): void {
  const rule = grammar.get(name);
  const spelt = visit.fields[name === 'RangeVar' ? 'schemaname' : name === 'String' ? 'sval' : ''];
  if (typeof spelt === 'string' && isTemporarySchema(spelt)) findings.namesTemporary = true;
  if (name === 'RangeVar' && isCte(visit)) return;
  if (typeof rule === 'object') findings.act(rule);
  // The table types each rule by its node; the parser's JSON is that node's.
  else if (typeof rule === 'function') rule(visit.fields as never, findings, visit.parent);
}

function isCte({ wrapped, fields, ctes }: Visit): boolean {
  return wrapped && fields['schemaname'] === undefined && ctes.has(String(fields['relname']));
}

interface Place {
  readonly message: NodeName | undefined;
  readonly parent: NodeName;
  readonly ctes: Scope;
}

function pushValue(stack: Visit[], value: unknown, place: Place, findings: Findings): void {
  if (Array.isArray(value)) {
    for (let index = value.length - 1; index >= 0; index -= 1)
      pushValue(stack, value[index], place, findings);
  } else if (isFields(value)) {
    const { message, parent, ctes } = place;
    if (message) stack.push({ name: message, fields: value, parent, ctes, wrapped: false });
    else pushNode(stack, value, parent, ctes, findings);
  }
}

/** A node that carries its own name: an object with exactly that one property. */
function pushNode(
  stack: Visit[],
  value: object,
  parent: NodeName | undefined,
  ctes: Scope,
  findings: Findings,
): void {
  const names = Object.keys(value);
  const [name] = names;
  // An empty list element (an omitted bound, DISTINCT without ON) is `{}`: nothing is there.
  if (name === undefined) return;
  const fields = (value as Fields)[name];
  if (names.length === 1 && isFields(fields))
    stack.push({ name, fields, parent, ctes, wrapped: true });
  else findings.act({ class: 'unknown', verb: `a part of ${parent ?? 'the statement'}` });
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null;
}

/** The CTE names that the statement with this WITH clause sees. */
function scopeOfBody(fields: Fields, outer: Scope): Scope {
  const clause = fields['withClause'];
  return isFields(clause) ? new Set([...outer, ...ctesOf(clause).map(cteName)]) : outer;
}

/** Without RECURSIVE a CTE sees only those before it, and its own name means what it meant outside. */
function pushCtes(stack: Visit[], clause: Fields, outer: Scope, findings: Findings): void {
  const list = ctesOf(clause);
  const names = list.map(cteName);
  for (const [index, cte] of [...list.entries()].reverse()) {
    const seen = clause['recursive'] === true ? names : names.slice(0, index);
    pushValue(
      stack,
      cte,
      { message: undefined, parent: 'WithClause', ctes: new Set([...outer, ...seen]) },
      findings,
    );
  }
}

function ctesOf(clause: Fields): readonly unknown[] {
  return Array.isArray(clause['ctes']) ? clause['ctes'] : [];
}

function cteName(node: unknown): string {
  const cte = isFields(node) ? node['CommonTableExpr'] : undefined;
  return isFields(cte) ? String(cte['ctename']) : '';
}
