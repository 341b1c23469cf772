/**
 * What the database holds beside PostgreSQL's own, by name as in the catalogue, without schema: an object of the user's
 * may run any code, with the rights of its owner when it is SECURITY DEFINER.
 *
 * Whoever fills this in decides by the catalogue, the rules here decide by name. So an object that does no more than
 * compute must be left out where it shares a name that everybody uses: the members of `reviewedExtensions` that are not
 * volatile (pgvector has an `=`, a `sum` and an `avg`).
 */
export interface UserObjects {
  /** Functions and aggregates outside pg_catalog. */
  readonly functions: ReadonlySet<string>;
  /**
   * Operators outside pg_catalog. Left out as well: those whose function is in C and not volatile, which took a
   * superuser to install; else the `=` of any extension's type would close `=` to everybody.
   */
  readonly operators: ReadonlySet<string>;
  /**
   * Types to which a conversion may run code that is not PostgreSQL's: domains with constraints, types with casts or
   * I/O functions of the user's, and the arrays, ranges and row types made of them (an array's own name is `_domain`).
   */
  readonly types: ReadonlySet<string>;
  /** The same types by OID, as a client may declare them for its parameters. */
  readonly typeOids: ReadonlySet<number>;
}

/** For who has no catalogue to ask; the engine's own privileges are then all that stands before the user's code. */
export const noUserObjects: UserObjects = {
  functions: new Set(),
  operators: new Set(),
  types: new Set(),
  typeOids: new Set(),
};

/**
 * Extensions whose non-volatile functions only compare, compute and convert values of their own types. A name of
 * theirs is never callable for being here (the allow-list has PostgreSQL's own only); it just hides no built-in.
 */
export const reviewedExtensions: readonly string[] = [
  ...['vector', 'pg_trgm', 'hstore', 'citext', 'ltree', 'cube', 'seg', 'isn', 'intarray'],
  ...['unaccent', 'fuzzystrmatch', 'btree_gin', 'btree_gist', 'uuid-ossp', 'pgcrypto', 'postgis'],
];
