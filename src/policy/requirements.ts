import type { ActClass } from '../sql/statement.ts';
import { changing, type Authority, type ScopeName } from './authority.ts';

/**
 * The one table from kinds of act to scopes. `docs/scopes.md` is printed from it.
 *
 * It is total: a new class of act does not compile until it has a row here, and what the grammar does not know is
 * refused to everybody.
 */
export interface Requirement {
  /** Statements of this class, for people. */
  readonly examples: string;
  readonly needs: Need;
  /**
   * Whether a key that is limited to schemas or tables may do it: everything that such an act touches is named in the
   * statement and judged there.
   */
  readonly limited: boolean;
}

/** `never`: nobody through HatiData. */
export type Need = 'anyKey' | 'never' | { readonly anyOf: readonly ScopeName[] } | AllOf;
interface AllOf {
  readonly allOf: readonly ScopeName[];
}

/** Code that nobody can read from outside runs with all the rights of the engine's writer. */
const everyChange: AllOf = { allOf: changing };

/** A read of nothing but the system's own relations is less than a read. */
export type RequirementKind = ActClass | 'catalogueRead';

export const requirements: Readonly<Record<RequirementKind, Requirement>> = {
  read: {
    examples: 'SELECT, VALUES, TABLE, EXPLAIN, COPY … TO STDOUT, RETURNING',
    needs: { anyOf: ['query:read'] },
    limited: true,
  },
  catalogueRead: {
    examples: 'the same over `pg_catalog` and `information_schema` alone, or over no relation',
    needs: { anyOf: ['query:read', 'schema:read'] },
    limited: true,
  },
  write: {
    examples: 'INSERT, UPDATE, DELETE, MERGE, COPY … FROM STDIN',
    needs: { anyOf: ['query:write'] },
    limited: true,
  },
  table: {
    examples:
      'CREATE and DROP of tables, views, indexes and sequences; CREATE TABLE AS, SELECT INTO, TRUNCATE',
    needs: { anyOf: ['query:write', 'schema:write'] },
    limited: true,
  },
  cascade: {
    examples: 'CASCADE, with any of these: it also drops policies, functions, and whatever depends',
    needs: { allOf: ['schema:write', 'policy:write'] },
    limited: false,
  },
  tableChange: {
    examples: 'ALTER and RENAME of tables, views, indexes and sequences; REINDEX',
    needs: { anyOf: ['schema:write'] },
    limited: true,
  },
  definition: {
    examples: 'CREATE, ALTER, DROP of schemas, types, domains, statistics, text search; COMMENT',
    needs: { anyOf: ['schema:write'] },
    limited: false,
  },
  rights: {
    examples:
      'GRANT, REVOKE, row policies, owners, triggers and rules on or off, parents and partitions, security options of views',
    needs: { allOf: ['schema:write', 'policy:write'] },
    limited: false,
  },
  code: {
    examples:
      'CREATE, ALTER, DROP of functions, procedures, triggers, rules, operators, casts; REFRESH MATERIALIZED VIEW',
    needs: everyChange,
    limited: false,
  },
  installation: {
    examples: 'extensions, foreign servers and tables, publications, subscriptions, databases',
    needs: { allOf: ['schema:write', 'environment:write'] },
    limited: false,
  },
  readLock: {
    examples: 'LOCK TABLE … IN ACCESS SHARE MODE, the lock that a SELECT takes',
    needs: { anyOf: ['query:read', 'query:write'] },
    limited: true,
  },
  lock: {
    examples: 'SELECT … FOR UPDATE and its kin, LOCK TABLE in all other modes',
    needs: { anyOf: ['query:write'] },
    limited: true,
  },
  routine: { examples: 'DO, CALL', needs: everyChange, limited: false },
  maintenance: {
    examples: 'VACUUM, ANALYZE, CLUSTER, CHECKPOINT',
    needs: { anyOf: ['schema:write'] },
    limited: false,
  },
  transaction: {
    examples: 'BEGIN, COMMIT, ROLLBACK, SAVEPOINT, SET TRANSACTION, SET CONSTRAINTS',
    needs: 'anyKey',
    limited: true,
  },
  transactionReadWrite: {
    examples: 'BEGIN READ WRITE, SET TRANSACTION READ WRITE',
    needs: { anyOf: ['query:write', 'schema:write'] },
    limited: true,
  },
  twoPhase: {
    examples: 'PREPARE TRANSACTION, COMMIT PREPARED, ROLLBACK PREPARED',
    needs: { anyOf: ['query:write'] },
    limited: false,
  },
  // What they hold is there as acts of its own.
  object: {
    examples: 'PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH, MOVE, CLOSE (and what they hold)',
    needs: 'anyKey',
    limited: true,
  },
  setting: { examples: 'SET, SHOW, RESET: by name and value', needs: 'anyKey', limited: true },
  // Only restores the startup options, which carry our clamps.
  reset: { examples: 'RESET ALL, DISCARD, RESET ROLE', needs: 'anyKey', limited: true },
  identity: {
    examples: 'SET ROLE, SET SESSION AUTHORIZATION',
    needs: 'never',
    limited: false,
  },
  // Part of every driver's reset.
  unlisten: { examples: 'UNLISTEN', needs: 'anyKey', limited: true },
  // LISTEN hears what other agents say.
  message: { examples: 'LISTEN, NOTIFY', needs: { anyOf: ['query:write'] }, limited: false },
  serverAccess: {
    examples: 'COPY with a file or program of the server, LOAD, ALTER SYSTEM, tablespaces',
    needs: 'never',
    limited: false,
  },
  roles: { examples: 'CREATE, ALTER, DROP, GRANT of roles', needs: 'never', limited: false },
  unknown: {
    examples: 'what the grammar of HatiData does not know',
    needs: 'never',
    limited: false,
  },
};

/** What stands between a key and an act. */
export type Obstacle = 'never' | 'limits' | { readonly missing: string };

export function obstacle(authority: Authority, kind: RequirementKind): Obstacle | undefined {
  const { needs, limited } = requirements[kind];
  if (needs === 'never') return 'never';
  const missing = missingScopes(authority, needs);
  if (missing !== undefined) return { missing };
  return authority.limits !== undefined && !limited ? 'limits' : undefined;
}

function missingScopes({ scopes }: Authority, needs: Exclude<Need, 'never'>): string | undefined {
  if (needs === 'anyKey') return undefined;
  if ('anyOf' in needs) {
    return needs.anyOf.some((scope) => scopes.has(scope)) ? undefined : needs.anyOf.join(' or ');
  }
  const missing = needs.allOf.filter((scope) => !scopes.has(scope));
  return missing.length === 0 ? undefined : missing.join(' and ');
}
