import type {
  AlterTableCmd,
  AlterTableStmt,
  CreateTableAsStmt,
  DropBehavior,
  DropStmt,
  IntoClause,
  ObjectType,
  RangeVar,
  ReindexStmt,
  RenameStmt,
  TruncateStmt,
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

/** Parts of ALTER TABLE that change who may do what, or which code runs. */
const rightsCommands = /^AT_(ChangeOwner|(Enable|Disable)\w*(Trig|Rule)\w*|\w*RowSecurity)$/;

export function alterTableCommand({ subtype, behavior }: AlterTableCmd, findings: Findings): void {
  cascade(behavior, findings);
  if (rightsCommands.test(subtype ?? '')) findings.act(ddl('rights'));
}
