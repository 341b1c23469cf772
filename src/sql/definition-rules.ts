import type {
  AlterObjectSchemaStmt,
  AlterTableCmd,
  AlterTableStmt,
  CreateStmt,
  CreateTableAsStmt,
  DefElem,
  DropBehavior,
  DropStmt,
  IntoClause,
  Node,
  ObjectType,
  RangeVar,
  ReindexStmt,
  RenameStmt,
  TruncateStmt,
  ViewStmt,
} from '@pgsql/types';
import { qualifiedName } from './constants.ts';
import type { Findings } from './findings.ts';
import { ddlVerb, type Act, type ActClass } from './statement.ts';

/** Statements that define: which kind of act they are depends on what they define. */

export const ddl = (actClass: ActClass): Act => ({ class: actClass, verb: ddlVerb });

/** SELECT … INTO and CREATE TABLE … AS both create what they name. */
export function into(clause: IntoClause, findings: Findings): void {
  findings.act(ddl('table'));
  if (clause.rel) temporary(clause.rel, findings);
}

export function createTableAs(statement: CreateTableAsStmt, findings: Findings): void {
  findings.act(ddl('table'));
  if (statement.into?.rel) temporary(statement.into.rel, findings);
}

/** A child of another table takes part in it, past the row policies of either. */
export function createTable({ relation, inhRelations }: CreateStmt, findings: Findings): void {
  create(relation, findings);
  if (inhRelations?.length) findings.act(ddl('rights'));
}

export function createView({ view, options }: ViewStmt, findings: Findings): void {
  create(view, findings);
  securityOptions(options, findings);
}

/** Options of a view that say with whose rights it reads. */
function securityOptions(options: readonly Node[] | undefined, findings: Findings): void {
  const isOne = (each: Node): boolean =>
    'DefElem' in each && /^(security_\w+|check_option)$/.test(each.DefElem.defname ?? '');
  if (options?.some(isOne)) findings.act(ddl('rights'));
}

export function alterSchema({ objectType }: AlterObjectSchemaStmt, findings: Findings): void {
  const actClass = (objectType && classOfObject[objectType]) ?? 'definition';
  // It names the new schema as a string: who is limited must not move tables about.
  findings.act(ddl(actClass === 'table' ? 'definition' : actClass));
}

/** For the relation that a CREATE statement makes. */
export function create(made: RangeVar | undefined, findings: Findings): void {
  findings.act(ddl('table'));
  if (made) temporary(made, findings);
}

function temporary(made: RangeVar, findings: Findings): void {
  if (made.relpersistence === 't' || isTemporarySchema(made.schemaname))
    findings.effects.add('temporaryTable');
}

export function isTemporarySchema(schema: string | undefined): boolean {
  return schema !== undefined && /^pg_temp(_\d+)?$/.test(schema);
}

/** DDL that no scope may run: a readonly key hears "DDL" as for all DDL, an admin key hears which. */
export function definition(
  actClass: 'roles' | 'serverAccess',
  verb: string,
): (node: unknown, into: Findings) => void {
  return (_node, findings) => {
    findings.act(ddl('definition'));
    findings.act({ class: actClass, verb });
  };
}

/** What DROP and RENAME name, by the kind of act that changes it; what is not listed is a `definition`. */
const classOfObject: Readonly<Partial<Record<ObjectType, ActClass>>> = {
  ...all('table', ['TABLE', 'VIEW', 'MATVIEW', 'INDEX', 'SEQUENCE']),
  ...all('code', [
    ...(['FUNCTION', 'PROCEDURE', 'ROUTINE', 'AGGREGATE', 'TRIGGER', 'RULE', 'CAST'] as const),
    ...(['OPERATOR', 'OPCLASS', 'OPFAMILY', 'TRANSFORM', 'CONVERSION'] as const),
  ]),
  ...all('rights', ['POLICY']),
  ...all('installation', [
    ...(['EXTENSION', 'FDW', 'FOREIGN_SERVER', 'FOREIGN_TABLE', 'EVENT_TRIGGER'] as const),
    ...(['PUBLICATION', 'SUBSCRIPTION', 'LANGUAGE', 'ACCESS_METHOD', 'DATABASE'] as const),
  ]),
  OBJECT_ROLE: 'roles',
};

function all<Class extends ActClass>(
  actClass: Class,
  names: readonly (ObjectType extends `OBJECT_${infer Name}` ? Name : never)[],
): Partial<Record<ObjectType, Class>> {
  return Object.fromEntries(names.map((name) => [`OBJECT_${name}`, actClass]));
}

function cascade(behavior: DropBehavior | undefined, findings: Findings): void {
  if (behavior === 'DROP_CASCADE') findings.act(ddl('cascade'));
}

export function truncate({ behavior }: TruncateStmt, findings: Findings): void {
  findings.act(ddl('table'));
  cascade(behavior, findings);
}

export function drop({ removeType, objects, behavior }: DropStmt, findings: Findings): void {
  cascade(behavior, findings);
  const actClass = (removeType && classOfObject[removeType]) ?? 'definition';
  findings.act(ddl(actClass));
  if (actClass !== 'table') return;
  for (const object of objects ?? []) {
    if ('List' in object) findings.relation({ ...qualifiedName(object.List.items), location: 0 });
  }
}

export function rename(statement: RenameStmt, findings: Findings): void {
  const { renameType, relation, behavior } = statement;
  cascade(behavior, findings);
  const actClass = (renameType && classOfObject[renameType]) ?? 'definition';
  if (actClass === 'roles') {
    findings.act(ddl('definition'));
    findings.act({ class: 'roles', verb: 'ALTER ROLE' });
  } else if (actClass === 'table' || (actClass === 'definition' && relation)) {
    // Columns and constraints of a relation are part of it.
    findings.act(ddl('tableChange'));
  } else findings.act(ddl(actClass));
}

export function reindex({ relation }: ReindexStmt, findings: Findings): void {
  findings.act(ddl(relation ? 'tableChange' : 'definition'));
}

export function alterTable({ objtype }: AlterTableStmt, findings: Findings): void {
  if (objtype === 'OBJECT_FOREIGN_TABLE') findings.act(ddl('installation'));
  else findings.act(ddl(objtype === 'OBJECT_TYPE' ? 'definition' : 'tableChange'));
}

/**
 * Parts of ALTER TABLE that change who may do what, or which code runs. A row policy is that of the table which a query
 * names, so a new parent shows the rows of its children past theirs.
 */
const rightsCommands =
  /^AT_(ChangeOwner|(Enable|Disable)\w*(Trig|Rule)\w*|\w*RowSecurity|AddInherit|DropInherit|(Attach|Detach)Partition\w*)$/;

export function alterTableCommand(
  { subtype, behavior, def }: AlterTableCmd,
  findings: Findings,
): void {
  cascade(behavior, findings);
  if (rightsCommands.test(subtype ?? '')) findings.act(ddl('rights'));
  if (def && 'List' in def) securityOptions(def.List.items, findings);
}

/** Options of sequences that name a relation, and one a column behind it, as a list of strings. */
export function option({ defname, arg }: DefElem, findings: Findings): void {
  if (!arg || !('List' in arg)) return;
  const { items } = arg.List;
  if (defname === 'sequence_name') findings.relation({ ...qualifiedName(items), location: 0 });
  else if (defname === 'owned_by' && items && items.length > 1)
    findings.relation({ ...qualifiedName(items.slice(0, -1)), location: 0 });
}
