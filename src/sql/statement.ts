import type { StandIn } from './stand-ins.ts';

/**
 * What HatiData knows of a statement after reading it: the output of `classify`, the input of every rule.
 *
 * A statement is described by the *acts* found anywhere in its tree. A rule never looks at the tree again, and a
 * kind of act without a rule does not compile (`policy/authorize.ts` is a total table over `Act['class']`).
 */

/** One thing the statement does. `verb` is the word a refusal names, upper case: INSERT, DDL, COPY, LOCK TABLE … */
export interface Act {
  readonly class: ActClass;
  readonly verb: string;
}

/** The word by which a refusal names every statement that defines something. */
export const ddlVerb = 'DDL';

export type ActClass =
  /** SELECT, VALUES, TABLE, plain EXPLAIN of a read, COPY (query) TO STDOUT. */
  | 'read'
  /** INSERT, UPDATE, DELETE, MERGE, COPY … FROM STDIN, also inside a CTE, EXPLAIN ANALYZE, PREPARE or cursor. */
  | 'write'
  /** CREATE and DROP of what holds or shows rows, all of it in `relations`; SELECT INTO, TRUNCATE. Verb: DDL, as below. */
  | 'table'
  /** CASCADE: it also drops, changes or empties what depends on the objects that it names. Verb: DDL. */
  | 'cascade'
  /** ALTER and RENAME of those, REINDEX of one. */
  | 'tableChange'
  /** Schemas, types, domains, statistics, text search, comments. */
  | 'definition'
  /** GRANT, REVOKE, row policies, owners, security labels; triggers and rules switched on or off. */
  | 'rights'
  /** Functions, triggers, rules, operators, casts: what runs later, whoever made it. */
  | 'code'
  /** Extensions, foreign servers and tables, publications, subscriptions, databases, event triggers. */
  | 'installation'
  /** SELECT … FOR UPDATE and its kin, LOCK TABLE. */
  | 'lock'
  /** LOCK TABLE … IN ACCESS SHARE MODE: the lock that a read takes, and keeps as long. */
  | 'readLock'
  /** DO and CALL: code that nobody can read from outside. */
  | 'routine'
  /** VACUUM, ANALYZE, CLUSTER, CHECKPOINT. */
  | 'maintenance'
  /** BEGIN, COMMIT, ROLLBACK, SAVEPOINT …, SET TRANSACTION: all forms that grant nothing. */
  | 'transaction'
  /** BEGIN READ WRITE, SET TRANSACTION READ WRITE, SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE. */
  | 'transactionReadWrite'
  /** PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED. */
  | 'twoPhase'
  /** PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH, MOVE, CLOSE; what they hold is judged as acts of its own. */
  | 'object'
  /** SHOW, SET, RESET of one setting; judged by name and value, see `SettingChange`. */
  | 'setting'
  /** RESET ALL, DISCARD; RESET ROLE, SET ROLE NONE and their like, which bring back who we logged in as. */
  | 'reset'
  /** SET ROLE and SET SESSION AUTHORIZATION to somebody. */
  | 'identity'
  /** UNLISTEN. */
  | 'unlisten'
  /** LISTEN, NOTIFY. */
  | 'message'
  /** COPY to or from a file or program of the server, ALTER SYSTEM, LOAD: the engine's own machine. */
  | 'serverAccess'
  /** CREATE/ALTER/DROP ROLE and whatever else would change the roles we log in with; such a statement is `definition` too. */
  | 'roles'
  /** A node that the table of the grammar does not know. */
  | 'unknown';

/** A relation as it was spelt, names of CTEs left out. System names are resolved later. */
export interface RelationRef {
  readonly schema: string | undefined;
  readonly name: string;
  /** Byte offset in the text, of its first mention. */
  readonly location: number;
}

/** A function as it was spelt. */
export interface FunctionRef {
  readonly schema: string | undefined;
  readonly name: string;
  readonly location: number;
  /**
   * Of functions that are judged by them: each argument that is a plain constant, as text; undefined for anything else.
   * Empty for all others, so that texts that differ in such constants alone are the same to every rule.
   */
  readonly constants: readonly (string | undefined)[];
  /** How many arguments PostgreSQL looks for, 0 for `f(*)`; undefined where that can't be told. */
  readonly arity: number | undefined;
}

/** Whether a constant argument decides what a call of that name does. */
export function isJudgedByConstants(functionName: string): boolean {
  return /^pg_input_(?:is_valid|error_info)$/.test(functionName);
}

/** A type as it was spelt, without brackets of an array. */
export interface TypeRef {
  readonly schema: string | undefined;
  readonly name: string;
}

/** An operator as it was spelt; it resolves to a function too. */
export interface OperatorRef {
  readonly schema: string | undefined;
  readonly name: string;
}

/** SET, RESET, SHOW of a setting, as a statement, as `set_config(...)`, or as `ALTER … SET` / `CREATE FUNCTION … SET`. */
export interface SettingChange {
  readonly operation: 'set' | 'reset' | 'show';
  /** Lower case; `undefined` when it is computed and so cannot be judged. */
  readonly name: string | undefined;
  /** The values as text; `undefined` when they are computed; empty for RESET, SHOW and SET … TO DEFAULT. */
  readonly values: readonly string[] | undefined;
  /** SET LOCAL, or `set_config(…, true)`. */
  readonly local: boolean;
  /** Where it takes effect: this session, or stored with a role, database or function. */
  readonly target: 'session' | 'stored';
}

/** What the statement leaves behind in the engine's session, so that sharing connections knows when it must pin. */
export type SessionEffect =
  | 'setting'
  | 'temporaryTable'
  | 'preparedStatement'
  | 'cursorWithHold'
  | 'cursor'
  | 'listen'
  | 'advisoryLock'
  /** COPY … FROM STDIN. */
  | 'copyIn'
  /** DISCARD ALL, DEALLOCATE ALL: no statement stays prepared. */
  | 'endsPrepared'
  /** RESET ALL, DISCARD ALL. */
  | 'resetsSettings'
  /** DISCARD ALL: the session is as it began. */
  | 'endsState'
  /** DO and CALL: they may have done any of these. So may a function that `policy/functions.ts` does not know. */
  | 'opaque';

export interface Statement {
  /**
   * The statement's own text, without its semicolon. Of a text that others are taken for (`any-literals.ts`), that of the one which
   * was read first: good for nothing that literals matter to. What is sent and shown is the request's own.
   */
  readonly text: string;
  /** The grammar's name of the top node, for the log and the record: SelectStmt, InsertStmt … */
  readonly node: string;
  readonly acts: readonly Act[];
  readonly relations: readonly RelationRef[];
  readonly functions: readonly FunctionRef[];
  readonly operators: readonly OperatorRef[];
  /**
   * Names behind a dot that select from a value: the last of `x.f`, `t.f`, `s.t.f`, each of `(x).f.g`; once each.
   * PostgreSQL calls f(x) when x has no column f, also on plain values: `('/'::text).pg_ls_dir` lists a directory.
   */
  readonly fieldNames: readonly string[];
  /** Types that a value is converted to, once each; those spelt `pg_catalog.…` are left out. */
  readonly types: readonly TypeRef[];
  readonly settings: readonly SettingChange[];
  /** Where something can be put in the place of what restricted keys may not have; see `stand-ins.ts`. */
  readonly standIns: readonly StandIn[];
  /** Parameters whose values name settings that it reads: `current_setting($1)`; judged at Bind. */
  readonly settingParameters: readonly number[];
  /** It may read options of foreign servers or subscriptions. */
  readonly seesOptions: boolean;
  /** Names of prepared statements that it makes (PREPARE). */
  readonly prepared: readonly string[];
  /** Names of prepared statements that it runs (EXECUTE, also inside EXPLAIN and CREATE TABLE AS). */
  readonly executed: readonly string[];
  /** Names of prepared statements that it ends (DEALLOCATE). */
  readonly deallocated: readonly string[];
  /** Names of cursors that it makes (DECLARE). */
  readonly declared: readonly string[];
  /** Names of cursors that it runs (FETCH, MOVE); portals of the protocol are such, too. */
  readonly fetched: readonly string[];
  readonly effects: readonly SessionEffect[];
  /** Set when the statement is one of ours to answer; see `system-call.ts`. */
  readonly system: SystemCall | undefined;
}

/** An argument of one of our own functions: a constant, or the parameter `$number`. */
export type CallArgument = { readonly value: string | null } | { readonly parameter: number };

/** A statement that HatiData answers itself. */
export type SystemCall =
  /** `SELECT create_api_key(…)` and its siblings, alone in their statement. */
  | {
      readonly kind: 'keyFunction';
      readonly name: KeyFunctionName;
      /** Label of the one result column. */
      readonly column: string;
      readonly args: readonly CallArgument[];
    }
  /** A read over `_hatidata_*` relations and nothing else but the system catalogues. */
  | { readonly kind: 'systemRead'; readonly schema: string }
  /** SET, RESET or SHOW of a `hatidata*` parameter. */
  | { readonly kind: 'sessionParameter'; readonly change: SettingChange }
  /** It names one of our functions or relations in a way that we do not answer. */
  | {
      readonly kind: 'misused';
      readonly what: string;
      readonly hint: string;
      readonly adminOnly: boolean;
    };

export const keyFunctionNames = ['create_api_key', 'rotate_api_key', 'revoke_api_key'] as const;
export type KeyFunctionName = (typeof keyFunctionNames)[number];

/** Everything that is known of one text (a simple Query may hold several statements, or none). */
export interface ClassifiedText {
  readonly statements: readonly Statement[];
  /**
   * What must be sent to the engine in place of the caller's text, when one of our table functions was expanded
   * (`hatidata_context`, `hatidata_rag_context`). It has been parsed and classified again; `statements` describe it.
   */
  readonly rewritten: string | undefined;
  /** Rough memory of this value, for the bounded cache. */
  readonly bytes: number;
  /** Some of it runs, ends or makes prepared statements or cursors by name. */
  readonly names: boolean;
  /** How often it was sent to the engine to be run, while this is remembered. */
  runs: number;
  /** By what it was let pass last; `policy/authorize.ts` alone knows. A WeakMap would cost more than it saves on new texts. */
  passedBy?: unknown;
  /** The same, for `policy/session-use.ts`. */
  sessionUse?: unknown;
  /**
   * How it has run, as far as that was looked at (`proxy/lane/pace.ts`): milliseconds, an average in which the last runs count
   * most, and bytes of the largest of its last answers.
   */
  pace?: { ms: number; bytes: number };
  /** It was slow where it was prepared once for many runs (`proxy/stand-in-statements.ts`): how often, and up to which of its `runs`. */
  parsedAnew?: { readonly times: number; readonly untilRun: number };
}
