import type { HatiError } from '../errors.ts';
import type { TypeRef } from '../sql/statement.ts';
import { isUnrestricted, nameOf, type Authority } from './authority.ts';
import { named, type Catalogue, type Conversion, type Surroundings } from './catalogue.ts';
import { adminHint, refusalError, type Refusal } from './refusal.ts';

/** A domain checks what is converted to it, and a cast or an input function may be the user's: each may run anything. */
export function judgeType(
  authority: Authority,
  ref: TypeRef,
  around: Surroundings,
): Refusal | undefined {
  return mayConvert(authority, ref, around) ? undefined : refused(authority, ref.name);
}

export function mayConvert(
  authority: Authority,
  ref: TypeRef,
  { catalogue, searched }: Surroundings,
): boolean {
  if (isUnrestricted(authority)) return true;
  return named(catalogue.types, ref, searched).every(({ conversion }) =>
    isConvertible(authority, conversion),
  );
}

/** Like a call of the function behind it. */
export function isConvertible(authority: Authority, conversion: Conversion): boolean {
  return (
    conversion === 'owners' && authority.limits === undefined && authority.scopes.has('query:read')
  );
}

/** The same for the types that a client declares for its parameters: Bind converts to them. */
export function authorizeParameterTypes(
  authority: Authority,
  oids: readonly number[],
  catalogue: Catalogue,
): HatiError | undefined {
  if (isUnrestricted(authority)) return undefined;
  const oid = oids.find((each) => {
    const conversion = catalogue.typeOids.get(each);
    return conversion !== undefined && !isConvertible(authority, conversion);
  });
  return oid === undefined ? undefined : refusalError(refused(authority, `with OID ${oid}`));
}

function refused(authority: Authority, type: string): Refusal {
  return { code: 'type_not_allowed', params: { who: nameOf(authority), type }, hint: adminHint };
}
