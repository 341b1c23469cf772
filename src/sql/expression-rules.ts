import type {
  A_Expr,
  A_Indirection,
  FuncCall,
  Node,
  RangeTableSample,
  RangeVar,
  SortBy,
  SubLink,
} from '@pgsql/types';
import { constantOf, qualifiedName } from './constants.ts';
import type { Findings } from './findings.ts';
import { changeOfSetConfig } from './setting-changes.ts';

/** What the parts of expressions and FROM clauses tell: functions, operators, relations. */

/** Session-level ones; the `_xact_` family goes with the transaction. */
const sessionAdvisoryLocks: ReadonlySet<string> = new Set([
  'pg_advisory_lock',
  'pg_advisory_lock_shared',
  'pg_try_advisory_lock',
  'pg_try_advisory_lock_shared',
]);

export function functionCall(call: FuncCall, findings: Findings): void {
  const { schema, name } = qualifiedName(call.funcname);
  const constants = (call.args ?? []).map((arg) => constantOf(arg) ?? undefined);
  findings.call({
    schema,
    name,
    notation: 'call',
    location: call.location ?? 0,
    constants,
  });
  if (schema !== undefined && schema !== 'pg_catalog') return;
  if (name === 'set_config') {
    findings.settings.push(changeOfSetConfig(call, findings.resolvedSettings.get(call)));
    findings.effects.add('setting');
  }
  if (sessionAdvisoryLocks.has(name)) findings.effects.add('advisoryLock');
}

/** `(expression).name` may be a function call; `[1]` and `.*` never are. */
export function fieldSelection(selection: A_Indirection, findings: Findings): void {
  for (const part of selection.indirection ?? []) {
    if (!('String' in part)) continue;
    const name = part.String.sval ?? '';
    findings.call({
      schema: undefined,
      name,
      notation: 'field',
      location: -1,
      constants: [undefined],
    });
  }
}

/** TABLESAMPLE names a handler function. */
export function tableSample(sample: RangeTableSample, findings: Findings): void {
  const name = qualifiedName(sample.method);
  findings.call({
    ...name,
    notation: 'call',
    location: sample.location ?? 0,
    constants: [],
  });
}

/** BETWEEN carries its keyword where the others carry the operator. */
const betweenKinds: ReadonlySet<string | undefined> = new Set([
  'AEXPR_BETWEEN',
  'AEXPR_NOT_BETWEEN',
  'AEXPR_BETWEEN_SYM',
  'AEXPR_NOT_BETWEEN_SYM',
]);

export function operatorExpression(expression: A_Expr, findings: Findings): void {
  if (!betweenKinds.has(expression.kind)) operatorName(expression.name, findings);
}

export function subLink(link: SubLink, findings: Findings): void {
  operatorName(link.operName, findings);
}

export function sortBy(sort: SortBy, findings: Findings): void {
  operatorName(sort.useOp, findings);
}

function operatorName(names: readonly Node[] | undefined, findings: Findings): void {
  if (names?.length) findings.operator(qualifiedName(names));
}

export function relation(range: RangeVar, findings: Findings): void {
  const { schemaname: schema, relname: name = '', location = 0 } = range;
  findings.relation({ schema, name, location });
}
