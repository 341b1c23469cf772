import type { Statement } from '../sql/statement.ts';

/**
 * What the database holds beside PostgreSQL's own objects: functions, operators and types of the user's and of
 * extensions, each with how far it can be trusted, and the relations. `engine/catalogue/` fills it in from pg_proc and its
 * kin; the rules of this folder decide by it.
 *
 * A call is judged by everything that it can mean: all functions of its name (in its schema, if it names one). PostgreSQL
 * picks one of them by the types of the arguments, so when every one is acceptable, so is the one it picks.
 */
export interface Catalogue {
  /** Functions and aggregates outside pg_catalog, by name. */
  readonly functions: ReadonlyMap<string, readonly UserFunction[]>;
  /** Operators outside pg_catalog, by name. */
  readonly operators: ReadonlyMap<string, readonly UserOperator[]>;
  /**
   * Types to which a conversion may run code of the user's that nobody reviewed: domains with such checks, types with such casts or
   * I/O functions, and the arrays, ranges and row types made of them (an array's own name is `_domain`).
   */
  readonly types: ReadonlyMap<string, readonly UserType[]>;
  /** The same types by OID, as a client may declare them for its parameters. */
  readonly typeOids: ReadonlyMap<number, Conversion>;
  /** Names of functions in pg_catalog, so that a name of the user's is not mistaken for one. */
  readonly builtinNames: ReadonlySet<string>;
  /** Those of them that can be called without arguments. */
  readonly builtinsOfNoArgument: ReadonlySet<string>;
  /** Tables, views and their like outside the system's schemas, by name. */
  readonly relations: ReadonlyMap<string, readonly UserRelation[]>;
  /** Schemas that the search path of a new session may hold. */
  readonly defaultPath: readonly string[];
  /** Schemas named like a role. */
  readonly userSchemas: readonly string[];
}

const numbers = new WeakMap<Catalogue, number>();
let lastNumber = 0;

/** For who remembers what was worked out by it: thousands of them must not keep as many old catalogues alive. */
export function numberOf(catalogue: Catalogue): number {
  let number = numbers.get(catalogue);
  if (number === undefined) {
    lastNumber += 1;
    number = lastNumber;
    numbers.set(catalogue, number);
  }
  return number;
}

/** What a name in a statement is looked up in. */
export interface Surroundings {
  readonly catalogue: Catalogue;
  /** Where a name without a schema may be found, beside pg_catalog; undefined: anywhere. */
  readonly searched: ReadonlySet<string> | undefined;
}

/**
 * - `reviewed`: it belongs to an extension that somebody looked at, and only computes.
 * - `owners`: the database's owner (or a superuser) made it, and declares that it changes nothing: IMMUTABLE or STABLE,
 *   not SECURITY DEFINER. PostgreSQL holds it to the first half.
 * - `none`: it may do anything, with the rights of its owner when it is SECURITY DEFINER.
 */
export type Trust = 'reviewed' | 'owners' | 'none';

export interface UserFunction {
  readonly schema: string;
  /** `schema.name` as SQL spells it. */
  readonly path: string;
  readonly trust: Trust;
  /** It can be called with one argument, so `x.name` may mean it. */
  readonly takesOne: boolean;
  /** How many arguments it can be called with; VARIADIC takes any number. */
  readonly takes: { readonly least: number; readonly most: number };
}

export interface UserOperator {
  readonly schema: string;
  /** Its function, and those that the planner may put in its place. */
  readonly runs: readonly UserFunction[];
}

export interface UserRelation {
  readonly schema: string;
  /** What a view runs when it is read; undefined for all other relations. */
  readonly view: Statement | 'unreadable' | undefined;
  /** Its columns or rows are of such a type (`types`), which PostgreSQL converts where nobody wrote a cast. */
  readonly converts: Conversion | undefined;
  /** Relations that a view reads. */
  readonly reads: readonly UserRelation[];
  /** Functions of the user's that a view and the row policies run, however they are spelt there. */
  readonly runs: readonly UserFunction[];
  /** What writing its rows runs: nothing that leaves something behind, nextval, or what is not known (triggers). */
  readonly writes: 'plainly' | 'sequences' | 'code';
  /** What its row policies run when it is read. */
  readonly guards: 'plainly' | 'code';
  /** It has no row policies, and is on no other server: it looks the same to all who read it as one role. */
  readonly readsAlike: boolean;
}

export interface UserType {
  readonly schema: string;
  readonly conversion: Conversion;
}

/** The least trusted function that a conversion may run. */
export type Conversion = Exclude<Trust, 'reviewed'>;

/** For who has no catalogue to ask: nothing but PostgreSQL's own. */
export const emptyCatalogue: Catalogue = {
  functions: new Map(),
  operators: new Map(),
  types: new Map(),
  typeOids: new Map(),
  builtinNames: new Set(),
  builtinsOfNoArgument: new Set(),
  relations: new Map(),
  defaultPath: [],
  userSchemas: [],
};

/** Those that a name can mean. */
export function named<T extends { readonly schema: string }>(
  objects: ReadonlyMap<string, readonly T[]>,
  { schema, name }: { readonly schema: string | undefined; readonly name: string },
  searched: ReadonlySet<string> | undefined,
): readonly T[] {
  const all = objects.get(name) ?? [];
  if (schema !== undefined) return all.filter((each) => each.schema === schema);
  return searched === undefined ? all : all.filter((each) => searched.has(each.schema));
}
