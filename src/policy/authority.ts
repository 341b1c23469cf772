/** What a key may do. `readonly` reads; `admin` also writes, defines, and manages keys. */
export const scopes = ['readonly', 'admin'] as const;

export type Scope = (typeof scopes)[number];

export function isScope(value: string): value is Scope {
  const known: readonly string[] = scopes;
  return known.includes(value);
}
