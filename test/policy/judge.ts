import { adminAuthority, readonlyAuthority, type Authority } from '../../src/policy/authority.ts';
import { authorize } from '../../src/policy/authorize.ts';
import { emptyCatalogue } from '../../src/policy/catalogue.ts';
import { analyse } from '../../src/sql/analyse.ts';
import { withStandIns } from '../../src/sql/stand-ins.ts';

export const authorities = { readonly: readonlyAuthority, admin: adminAuthority };
export const scopes = ['readonly', 'admin'] as const;

/** What a client of this scope would hear: the refusal's text, or `undefined` when the text may run. */
export function refusal(
  key: keyof typeof authorities | Authority,
  text: string,
  catalogue = emptyCatalogue,
): string | undefined {
  const authority = typeof key === 'string' ? authorities[key] : key;
  return authorize(authority, analyse(text), catalogue)?.message;
}

export const readonlyCannot = (verb: string): string =>
  `Permission denied: readonly scope cannot execute ${verb}`;

export const readonlyCannotCall = (name: string): string =>
  `Permission denied: readonly scope cannot call function ${name}`;

/** The text as the engine would get it from a restricted key. */
export function sentBy(text: string): string {
  const places = analyse(text).statements.flatMap(({ standIns }) => standIns);
  return places.length === 0 ? text : (withStandIns(Buffer.from(text), places) ?? text);
}
