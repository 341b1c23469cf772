import type { ScopeName } from '../policy/authority.ts';

/**
 * Who may do what over REST: the one table. `docs/roles.md` is printed from it, and a test compares every route, role and scope with
 * what the server answers.
 */
export const roles = [
  'owner',
  'admin',
  'developer',
  'analyst',
  'auditor',
  'service_account',
] as const;

export type Role = (typeof roles)[number];

interface Rule {
  readonly roles: readonly Role[];
  /** What an API key needs for it; null: it is not for keys. */
  readonly scope: ScopeName | null;
  /** For the printed table. */
  readonly means: string;
}

const everybody: readonly Role[] = roles;
const administrators: readonly Role[] = ['owner', 'admin'];
const queriers: readonly Role[] = ['owner', 'admin', 'developer', 'analyst', 'service_account'];

export const permissions = {
  'organization:read': { roles: everybody, scope: null, means: 'see the organization' },
  'organization:update': {
    roles: administrators,
    scope: null,
    means: 'change its name, billing address and settings',
  },
  'organization:delete': { roles: ['owner'], scope: null, means: 'delete it' },
  'organization:transfer': { roles: ['owner'], scope: null, means: 'give it to another owner' },
  'query:execute': { roles: queriers, scope: 'query:read', means: 'execute queries' },
  'schema:read': { roles: queriers, scope: 'schema:read', means: 'read the schema' },
  'schema:write': {
    roles: ['owner', 'admin', 'developer'],
    scope: 'schema:write',
    means: 'change the schema',
  },
  'policy:write': { roles: administrators, scope: 'policy:write', means: 'manage policies' },
  'billing:write': { roles: ['owner'], scope: 'billing:write', means: 'manage billing' },
  'environment:read': {
    roles: everybody,
    scope: 'environment:read',
    means: 'see environments',
  },
  'environment:write': {
    roles: administrators,
    scope: 'environment:write',
    means: 'create, change and archive environments',
  },
  // It is two environments, and a key is good in its own.
  'environment:promote': {
    roles: administrators,
    scope: null,
    means: 'copy the settings of an environment to another one',
  },
  'user:read': { roles: administrators, scope: 'user:read', means: 'see users' },
  'user:write': {
    roles: administrators,
    scope: 'user:write',
    means: 'invite, suspend and remove users, change their roles',
  },
  'key:read': { roles: administrators, scope: 'key:read', means: 'see API keys' },
  'key:write': {
    roles: administrators,
    scope: 'key:write',
    means: 'create, rotate and revoke API keys',
  },
  'audit:read': {
    roles: ['owner', 'admin', 'auditor'],
    scope: 'audit:read',
    means: 'see the record of administrative acts',
  },
  'webhook:read': { roles: administrators, scope: 'webhook:read', means: 'see webhooks' },
  'webhook:write': {
    roles: administrators,
    scope: 'webhook:write',
    means: 'create, change and delete webhooks',
  },
  'sso:write': { roles: administrators, scope: null, means: 'configure single sign-on' },
} as const satisfies Record<string, Rule>;

export type Permission = keyof typeof permissions;

export function isPermission(access: string): access is Permission {
  return access in permissions;
}

export function roleMay(role: Role, permission: Permission): boolean {
  const allowed: readonly Role[] = permissions[permission].roles;
  return allowed.includes(role);
}

export function scopesMay(scopes: ReadonlySet<ScopeName>, permission: Permission): boolean {
  const { scope } = permissions[permission];
  return scope !== null && scopes.has(scope);
}
