import { roles, type Role } from '../../api/permissions.ts';
import { authorityOf, scopeNames, type Authority, type ScopeName } from '../../policy/authority.ts';

const everything = (scope: ScopeName): boolean => scope !== undefined;
const billing = (scope: ScopeName): boolean => scope.startsWith('billing:');
const nothing = (): boolean => false;

/** Scopes that a user of a role may give to a key: not those of acts that the role is not for. */
const gives: Readonly<Record<Role, (scope: ScopeName) => boolean>> = {
  owner: everything,
  admin: (scope) => !billing(scope),
  developer: nothing,
  analyst: nothing,
  auditor: nothing,
  service_account: nothing,
};

const authorities = new Map<Role, Authority>(
  roles.map((role) => [
    role,
    authorityOf(new Set(scopeNames.filter(gives[role])), undefined, new Set()),
  ]),
);

export function authorityOfRole(role: Role): Authority {
  return authorities.get(role)!;
}
