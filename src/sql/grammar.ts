import type { Node } from '@pgsql/types';
import {
  caseExpression,
  columnReference,
  fieldSelection,
  functionCall,
  join,
  operatorExpression,
  relation,
  sortBy,
  subLink,
  tableSample,
  typeName,
} from './expression-rules.ts';
import * as definitions from './definition-rules.ts';
import type { Findings } from './findings.ts';
import { ddlStatements } from './grammar-ddl.ts';
import { neverParsed, parts } from './grammar-parts.ts';
import * as rules from './statement-rules.ts';
import type { Act } from './statement.ts';

/**
 * The total table over PostgreSQL's grammar: what each node means for a rule.
 *
 * Totality is proven three times: by the compiler (a node of `@pgsql/types` that no list names is a missing
 * property), by a test that reads the declarations, and at run time, where a node outside of the table becomes an
 * act of class `unknown`, which no scope may execute.
 */

export type NodeName = Node extends infer N ? (N extends unknown ? keyof N : never) : never;
type NodeOf<Name extends NodeName> = Extract<Node, Record<Name, unknown>>[Name &
  keyof Extract<Node, Record<Name, unknown>>];

/** `parent` is the node around it; `undefined` for a statement itself. */
type Describe<T> = (node: T, findings: Findings, parent: NodeName | undefined) => void;

type Rule<T = never> =
  /** Only its children matter. */
  | 'part'
  /** Not to be met in what the parser returns. */
  | 'unknown'
  /** Always this act. */
  | Act
  | Describe<T>;

type Listed =
  | (typeof parts)[number]
  | (typeof neverParsed)[number]
  | (typeof ddlStatements)[keyof typeof ddlStatements][number];

const write = (verb: string): Act => ({ class: 'write', verb });
const maintenance = (verb: string): Act => ({ class: 'maintenance', verb });
const object = (verb: string): Act => ({ class: 'object', verb });
const serverAccess = (verb: string): Act => ({ class: 'serverAccess', verb });

const described: { readonly [Name in Exclude<NodeName, Listed>]: Rule<NodeOf<Name>> } = {
  // Reading and writing rows
  SelectStmt: rules.select,
  InsertStmt: write('INSERT'),
  ReturningClause: { class: 'read', verb: 'RETURNING' },
  UpdateStmt: rules.update,
  DeleteStmt: write('DELETE'),
  MergeStmt: write('MERGE'),
  CopyStmt: rules.copy,
  ExplainStmt: rules.explain,
  IntoClause: definitions.into,
  LockingClause: rules.lockingClause,
  LockStmt: rules.lockTable,

  // Definitions that may be temporary
  CreateStmt: definitions.createTable,
  CreateTableAsStmt: definitions.createTableAs,
  CreateSeqStmt: (node, findings) => definitions.create(node.sequence, findings),
  ViewStmt: definitions.createView,

  // Definitions whose kind depends on what they are about
  AlterTableStmt: definitions.alterTable,
  AlterTableCmd: definitions.alterTableCommand,
  AlterObjectSchemaStmt: definitions.alterSchema,
  DropStmt: definitions.drop,
  TruncateStmt: definitions.truncate,
  RenameStmt: definitions.rename,
  ReindexStmt: definitions.reindex,

  // Code nobody can read from outside
  DoStmt: rules.routine('DO'),
  CallStmt: rules.routine('CALL'),

  // Maintenance
  VacuumStmt: rules.vacuum,
  ClusterStmt: maintenance('CLUSTER'),
  CheckPointStmt: maintenance('CHECKPOINT'),

  // Transactions
  TransactionStmt: rules.transaction,
  ConstraintsSetStmt: { class: 'transaction', verb: 'SET CONSTRAINTS' },

  // Prepared statements and cursors; what they hold is walked like everything else
  PrepareStmt: (node, findings) => {
    findings.act(object('PREPARE'));
    findings.effects.add('preparedStatement');
    findings.prepared.add(node.name ?? '');
  },
  ExecuteStmt: (node, findings) => {
    findings.act(object('EXECUTE'));
    findings.executed.add(node.name ?? '');
  },
  DeallocateStmt: (node, findings) => {
    findings.act(object('DEALLOCATE'));
    if (node.name === undefined) findings.effects.add('endsPrepared');
    else findings.deallocated.add(node.name);
  },
  DeclareCursorStmt: rules.declareCursor,
  FetchStmt: (node, findings) => {
    findings.act(object(node.ismove ? 'MOVE' : 'FETCH'));
    findings.fetched.add(node.portalname ?? '');
  },
  ClosePortalStmt: object('CLOSE'),

  // The session
  VariableSetStmt: rules.variableSet,
  VariableShowStmt: rules.variableShow,
  DiscardStmt: rules.discard,
  ListenStmt: (_node, findings) => {
    findings.act({ class: 'message', verb: 'LISTEN' });
    findings.effects.add('listen');
  },
  UnlistenStmt: { class: 'unlisten', verb: 'UNLISTEN' },
  NotifyStmt: { class: 'message', verb: 'NOTIFY' },

  // The engine's machine
  LoadStmt: serverAccess('LOAD'),
  AlterSystemStmt: definitions.definition('serverAccess', 'ALTER SYSTEM'),
  CreateTableSpaceStmt: definitions.definition('serverAccess', 'CREATE TABLESPACE'),
  AlterTableSpaceOptionsStmt: definitions.definition('serverAccess', 'ALTER TABLESPACE'),
  DropTableSpaceStmt: definitions.definition('serverAccess', 'DROP TABLESPACE'),
  AlterTableMoveAllStmt: definitions.definition('serverAccess', 'ALTER … ALL IN TABLESPACE'),

  // Roles
  CreateRoleStmt: definitions.definition('roles', 'CREATE ROLE'),
  AlterRoleStmt: definitions.definition('roles', 'ALTER ROLE'),
  AlterRoleSetStmt: definitions.definition('roles', 'ALTER ROLE'),
  DropRoleStmt: definitions.definition('roles', 'DROP ROLE'),
  GrantRoleStmt: definitions.definition('roles', 'GRANT of a role'),
  DropOwnedStmt: definitions.definition('roles', 'DROP OWNED'),
  ReassignOwnedStmt: definitions.definition('roles', 'REASSIGN OWNED'),

  // Parts that tell something
  FuncCall: functionCall,
  A_Indirection: fieldSelection,
  ColumnRef: columnReference,
  TypeName: typeName,
  JoinExpr: join,
  CaseExpr: caseExpression,
  RangeTableSample: tableSample,
  A_Expr: operatorExpression,
  SubLink: subLink,
  SortBy: sortBy,
  RangeVar: relation,
  DefElem: definitions.option,

  // Wrappers
  RawStmt: 'part',
  ReturnStmt: 'part',
};

/** A Map: names come from the parser, and `constructor` is no node. */
export const grammar: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ...Object.entries(described),
  ...parts.map((name): [string, Rule] => [name, 'part']),
  ...neverParsed.map((name): [string, Rule] => [name, 'unknown']),
  ...typedEntries(ddlStatements).flatMap(([actClass, names]) =>
    names.map((name): [string, Rule] => [name, definitions.ddl(actClass)]),
  ),
]);

function typedEntries<K extends string, V>(record: Readonly<Record<K, V>>): [K, V][] {
  return Object.entries(record) as [K, V][];
}
