import { permissions, roleMay, roles, type Permission } from '../src/api/permissions.ts';

/** The table of docs/roles.md, a row for each permission, in its order. */
export function rolesRows(): string[] {
  const head = [
    'Permission',
    'Means',
    ...roles.map((role) => `\`${role}\``),
    'Scope of an API key',
  ];
  const rows = (Object.keys(permissions) as Permission[]).map((permission) => {
    const { means, scope } = permissions[permission];
    return [
      `\`${permission}\``,
      means,
      ...roles.map((role) => (roleMay(role, permission) ? 'yes' : '–')),
      scope === null ? 'not for keys' : `\`${scope}\``,
    ];
  });
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
