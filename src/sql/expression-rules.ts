import type {
  A_Expr,
  A_Indirection,
  CaseExpr,
  ColumnRef,
  FuncCall,
  JoinExpr,
  Node,
  RangeTableSample,
  RangeVar,
  SortBy,
  SubLink,
  TypeName,
} from '@pgsql/types';
import { constantOf, qualifiedName, stringConstantOf, withoutTextCasts } from './constants.ts';
import type { Findings } from './findings.ts';
import { changeOfSetConfig, mayPutTemporaryFirst } from './setting-changes.ts';
import { columnsOf, viewPlaceOf } from './stand-in-views.ts';
import { isSettingsFunction, isSettingsRelation, readOf } from './setting-reads.ts';
import { isJudgedByConstants } from './statement.ts';

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
  const constants = isJudgedByConstants(name)
    ? (call.args ?? []).map((arg) => constantOf(arg) ?? undefined)
    : [];
  findings.call({
    schema,
    name,
    location: call.location ?? 0,
    constants,
    arity: arityOf(call),
  });
  if (schema !== undefined && schema !== 'pg_catalog') return;
  if (name === 'set_config') {
    const change = changeOfSetConfig(call, findings.resolvedSettings.get(call));
    findings.settings.push(change);
    findings.effects.add('setting');
    if (mayPutTemporaryFirst(change)) findings.effects.add('temporaryTable');
  }
  if (name === 'current_setting' && !findings.namedSettings.has(call))
    settingRead(call.args?.[0], findings);
  if (isSettingsFunction(schema, name) && !findings.namedSettings.has(call))
    findings.settings.push(readOf(undefined));
  if (sessionAdvisoryLocks.has(name)) findings.effects.add('advisoryLock');
}

/** WITHIN GROUP hands its ORDER BY to the function as further arguments. */
function arityOf({ args = [], agg_within_group: within, agg_order: order = [] }: FuncCall): number {
  return args.length + (within === true ? order.length : 0);
}

/** The value of a parameter is known at Bind. */
function settingRead(name: Node | undefined, findings: Findings): void {
  const inner = name && withoutTextCasts(name);
  const parameter = inner && 'ParamRef' in inner ? inner.ParamRef.number : undefined;
  if (parameter === undefined) findings.settings.push(readOf(stringConstantOf(name)));
  else findings.settingParameters.add(parameter);
}

/** `(expression).name` may be a function call; `[1]` and `.*` never are. */
export function fieldSelection(selection: A_Indirection, findings: Findings): void {
  for (const part of selection.indirection ?? []) {
    if ('String' in part) fieldName(part.String.sval ?? '', findings);
  }
}

/**
 * `x.f` is a column, or f(x) when there is none of that name; so are `t.f` and `s.t.f` with the whole row. A name
 * that stands alone never is: it is a column or a whole row.
 * https://www.postgresql.org/docs/18/rowtypes.html#ROWTYPES-USAGE
 */
export function columnReference({ fields }: ColumnRef, findings: Findings): void {
  const last = fields?.at(-1);
  if (!fields || !last || !('String' in last)) return;
  if (fields.length > 1) fieldName(last.String.sval ?? '', findings);
}

function fieldName(name: string, findings: Findings): void {
  findings.fieldNames.add(name);
  // `('name'::text).current_setting` calls it.
  if (name === 'current_setting') findings.settings.push(readOf(undefined));
  if (sessionAdvisoryLocks.has(name)) findings.effects.add('advisoryLock');
}

/** Converting to a domain checks it, and a cast may be a function. */
export function typeName({ names }: TypeName, findings: Findings): void {
  const { schema, name } = qualifiedName(names);
  if (schema !== 'pg_catalog' && name !== '') findings.type({ schema, name });
}

/** TABLESAMPLE names a handler function. */
export function tableSample(sample: RangeTableSample, findings: Findings): void {
  const name = qualifiedName(sample.method);
  findings.call({
    ...name,
    location: sample.location ?? 0,
    constants: [],
    arity: undefined,
  });
}

/** BETWEEN carries its keyword where the others carry the operator. */
const betweenOperators: ReadonlyMap<string | undefined, readonly string[]> = new Map([
  ['AEXPR_BETWEEN', ['>=', '<=']],
  ['AEXPR_NOT_BETWEEN', ['<', '>']],
  ['AEXPR_BETWEEN_SYM', ['>=', '<=']],
  ['AEXPR_NOT_BETWEEN_SYM', ['<', '>']],
]);

export function operatorExpression(expression: A_Expr, findings: Findings): void {
  const implied = betweenOperators.get(expression.kind);
  if (implied) for (const name of implied) impliedOperator(name, findings);
  else operatorName(expression.name, findings);
}

/** `x IN (SELECT …)` carries no operator and means `= ANY`. */
export function subLink(link: SubLink, findings: Findings): void {
  if (link.subLinkType === 'ANY_SUBLINK' && !link.operName?.length) impliedOperator('=', findings);
  operatorName(link.operName, findings);
}

/** USING and NATURAL compare their columns with whatever `=` is in the search path. */
export function join(expression: JoinExpr, findings: Findings): void {
  if (expression.isNatural || expression.usingClause?.length) impliedOperator('=', findings);
}

/** `CASE x WHEN y` compares with `=`. */
export function caseExpression(expression: CaseExpr, findings: Findings): void {
  if (expression.arg) impliedOperator('=', findings);
}

/** One that the grammar's keywords stand for; it is looked up by name like any other. */
function impliedOperator(name: string, findings: Findings): void {
  findings.operator({ schema: undefined, name });
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
  if (columnsOf(range) && !findings.maskedReadings.has(range)) findings.seesOptions = true;
  const standIn = viewPlaceOf(range);
  if (standIn && !findings.namedSettings.has(range) && !findings.maskedReadings.has(range))
    findings.standIns.push(standIn);
  if (isSettingsRelation(schema, name) && !findings.namedSettings.has(range))
    findings.settings.push(readOf(undefined));
}
