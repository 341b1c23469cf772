import type { ClassifiedText, FunctionRef, Statement } from './statement.ts';

/**
 * Whether what is known of a text holds for every text of its form (`text-form.ts`), whatever its literals are.
 *
 * The walk meets literals as A_Const nodes, and a rule that looks into one leaves a trace: a setting that is read or set
 * (`current_setting('x')`, `set_config`, conditions on pg_settings), a call of ours (`create_api_key('x')`), a text that was
 * rewritten (`hatidata_context`), an argument that a function is judged by. No statement with such a trace passes here. Some values
 * leave none where others do: `pg_settings WHERE name ~ '…'` with the pattern of `readable-settings.ts`. So none passes either that
 * has a name at which those rules begin to look. What is known of the others comes of their names, types and operators.
 *
 * A field of Statement without a condition does not compile.
 */
export function holdsForAnyLiterals({ statements, rewritten }: ClassifiedText): boolean {
  const [statement, ...more] = statements;
  if (statement === undefined || more.length > 0 || rewritten !== undefined) return false;
  // Each condition is asked for its own field.
  return fields.every((field) => conditions[field](statement[field] as never));
}

type Conditions = { readonly [Field in keyof Statement]: (value: Statement[Field]) => boolean };

const isEmpty = (list: readonly unknown[]): boolean => list.length === 0;
const always = (): boolean => true;

const nodes: ReadonlySet<string> = new Set([
  'SelectStmt',
  'InsertStmt',
  'UpdateStmt',
  'DeleteStmt',
]);

/** Relations and functions beside which rules look at literals, and all that is named like them. */
const systemName =
  /^(?:pg_|_?hatidata|information_schema$|current_setting$|set_config$|\w+_api_key$)/;

const isSystem = ({ schema = '', name }: { schema: string | undefined; name: string }): boolean =>
  systemName.test(name) || systemName.test(schema);

/** Of PostgreSQL's own functions most compute, and are written with their schema or without. */
const isSystemFunction = ({ schema, name }: FunctionRef): boolean =>
  isSystem({ schema: schema === 'pg_catalog' ? undefined : schema, name });

const conditions: Conditions = {
  // FLOAT(24) and FLOAT(25) are different types to the grammar, and FLOAT(54) is none.
  text: (text) => !/\bfloat\s*\(/i.test(text),
  node: (node) => nodes.has(node),
  acts: (acts) => acts.every((act) => act.class === 'read' || act.class === 'write'),
  relations: (refs) => !refs.some(isSystem),
  functions: (refs) =>
    refs.every(
      (ref) => !isSystemFunction(ref) && ref.constants.every((value) => value === undefined),
    ),
  operators: always,
  fieldNames: always,
  types: always,
  settings: isEmpty,
  standIns: isEmpty,
  settingParameters: isEmpty,
  seesOptions: (seesOptions) => !seesOptions,
  prepared: isEmpty,
  executed: isEmpty,
  declared: isEmpty,
  fetched: isEmpty,
  deallocated: isEmpty,
  effects: isEmpty,
  system: (system) => system === undefined,
};

const fields = Object.keys(conditions) as (keyof Statement)[];
