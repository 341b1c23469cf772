/**
 * What a key may do: scopes say which kinds of act, limits say on which schemas and tables, and grants name functions
 * of the database that it may call besides. The names of the scopes are those of the API reference.
 */
export const scopeNames = [
  'query:read',
  'query:write',
  'schema:read',
  'schema:write',
  'policy:read',
  'policy:write',
  'user:read',
  'user:write',
  'key:read',
  'key:write',
  'audit:read',
  'billing:read',
  'billing:write',
  'webhook:read',
  'webhook:write',
  'environment:read',
  'environment:write',
  'agent:*',
] as const;

export type ScopeName = (typeof scopeNames)[number];

/** Names for sets of scopes that everybody needs. */
export const bundles = {
  readonly: ['query:read', 'schema:read'],
  admin: scopeNames,
} as const satisfies Record<string, readonly ScopeName[]>;

export type BundleName = keyof typeof bundles;

export interface Authority {
  /** As shown: a bundle's name, or the scopes in the order of `scopeNames`, separated by commas. */
  readonly scope: string;
  readonly scopes: ReadonlySet<ScopeName>;
  /** Where the scopes hold; undefined: everywhere. */
  readonly limits: Limits | undefined;
  /** Functions of the database that may be called although no rule lets them, by `UserFunction.path`. */
  readonly functions: ReadonlySet<string>;
}

export interface Limits {
  readonly schemas: ReadonlySet<string>;
  /** By schema. */
  readonly tables: ReadonlyMap<string, ReadonlySet<string>>;
}

/** @returns the scopes' names, each once and wildcards spelt out; undefined when one of them is unknown. */
export function parseScopes(text: string): ReadonlySet<ScopeName> | undefined {
  if (isBundle(text)) return new Set(bundles[text]);
  const wanted = new Set<ScopeName>();
  for (const name of text.split(',').map((each) => each.trim())) {
    const matches = matching(name);
    if (matches.length === 0) return undefined;
    for (const match of matches) wanted.add(match);
  }
  return wanted;
}

function matching(name: string): readonly ScopeName[] {
  const [area, verb, ...rest] = name.split(':');
  if (area === undefined || verb === undefined || rest.length > 0) return [];
  return scopeNames.filter((known) => known === name || (verb === '*' && areaOf(known) === area));
}

function areaOf(scope: ScopeName): string {
  return scope.slice(0, scope.indexOf(':'));
}

function isBundle(text: string): text is BundleName {
  return Object.hasOwn(bundles, text);
}

/** The one spelling under which a set of scopes is stored and shown. */
export function scopeText(scopes: ReadonlySet<ScopeName>): string {
  for (const [name, members] of Object.entries(bundles)) {
    if (members.length === scopes.size && members.every((each) => scopes.has(each))) return name;
  }
  return scopeNames.filter((each) => scopes.has(each)).join(',');
}

export function authorityOf(
  scopes: ReadonlySet<ScopeName>,
  limits: Limits | undefined,
  functions: ReadonlySet<string>,
): Authority {
  return { scope: scopeText(scopes), scopes, limits, functions };
}

export const readonlyAuthority = authorityOf(new Set(bundles.readonly), undefined, new Set());
export const adminAuthority = authorityOf(new Set(bundles.admin), undefined, new Set());

/** What lets a key change something in the database. */
export const changing: readonly ScopeName[] = [
  'query:write',
  'schema:write',
  'policy:write',
  'environment:write',
];

/**
 * It may run code that nobody can read from outside (DO), with all the rights of the engine's writer. So rules about what
 * a statement touches are not for such a key.
 */
export function isUnrestricted({ scopes, limits }: Authority): boolean {
  return limits === undefined && changing.every((scope) => scopes.has(scope));
}

/** Whether its statements run as the engine's writer; everybody else's run as a role that can't write. */
export function mayChange({ scopes }: Authority): boolean {
  return changing.some((scope) => scopes.has(scope));
}

/** How a refusal names the key. */
export function nameOf({ scope }: Authority): string {
  return scope === 'readonly' ? 'readonly scope' : 'this key';
}

/** Whether one may be given by the other: nobody makes a key that is stronger than his own. */
export function covers(giver: Authority, given: Authority): boolean {
  return (
    [...given.scopes].every((scope) => giver.scopes.has(scope)) &&
    (isUnrestricted(giver) || [...given.functions].every((name) => giver.functions.has(name))) &&
    coversLimits(giver.limits, given.limits)
  );
}

function coversLimits(giver: Limits | undefined, given: Limits | undefined): boolean {
  if (giver === undefined) return true;
  if (given === undefined) return false;
  return (
    [...given.schemas].every((schema) => giver.schemas.has(schema)) &&
    [...given.tables].every(
      ([schema, tables]) =>
        giver.schemas.has(schema) ||
        [...tables].every((table) => giver.tables.get(schema)?.has(table) === true),
    )
  );
}
