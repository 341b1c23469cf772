/** The permission matrix of the reference, and the table in code. */
import { expect, test } from 'vitest';
import { permissions, roleMay, roles, type Permission } from '../../src/api/permissions.ts';

const matrix = `
Permission           | owner | admin | analyst | auditor | developer | service_account | permissions
Execute queries      | y     | y     | y       | –       | y         | y               | query:execute
Read schema          | y     | y     | y       | –       | y         | y               | schema:read
Modify schema        | y     | y     | –       | –       | y         | –               | schema:write
Manage policies      | y     | y     | –       | –       | –         | –               | policy:write
Manage users         | y     | y     | –       | –       | –         | –               | user:read user:write
Manage API keys      | y     | y     | –       | –       | –         | –               | key:read key:write
View audit logs      | y     | y     | –       | y       | –         | –               | audit:read
Manage billing       | y     | –     | –       | –       | –         | –               | billing:write
Manage webhooks      | y     | y     | –       | –       | –         | –               | webhook:read webhook:write
Configure SSO        | y     | y     | –       | –       | –         | –               | sso:write
Delete organization  | y     | –     | –       | –       | –         | –               | organization:delete`;

const [head, ...rows] = matrix
  .trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));
const columns = head!.slice(1, -1);

test('has all roles', () => {
  expect(columns.toSorted()).toEqual([...roles].toSorted());
});

test.each(rows.map((row) => [row[0]!, row] as const))('%s', (_means, row) => {
  const covered = row.at(-1)!.split(' ') as Permission[];
  for (const permission of covered) {
    expect(permissions).toHaveProperty(permission);
    const allowed = roles.map((role) => roleMay(role, permission));
    const wanted = roles.map((role) => row[1 + columns.indexOf(role)] === 'y');
    expect(allowed).toEqual(wanted);
  }
});
