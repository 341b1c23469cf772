import type { Role } from '../../api/permissions.ts';
import { HatiError } from '../../errors.ts';
import { idOf, type Caller } from '../caller.ts';
import type { Place } from '../http/binding.ts';

/** Who changes users, besides that he may do it at all (`user:write`). */
export interface Administrator {
  readonly id: string;
  readonly role: Role;
}

/** A key is never more than an admin, whoever made it. */
export function administratorOf(caller: Caller, { role }: Place): Administrator {
  const id = idOf(caller);
  return { id, role: caller.kind === 'key' ? 'admin' : (role ?? caller.role) };
}

/** Whether he may make somebody what `role` is. */
export function refuseGiving(by: Administrator, role: Role): void {
  if (role === 'owner') throw new HatiError('owner_by_transfer');
  if (role === 'admin' && by.role !== 'owner') {
    throw new HatiError('owner_only', { params: { act: 'make somebody an admin' } });
  }
}

/** Whether he may change, suspend or remove this one. An admin may step down. */
export function refuseTouching(
  by: Administrator,
  user: { readonly userId: string; readonly role: Role },
): void {
  if (user.role === 'owner') throw new HatiError('owner_by_transfer');
  if (user.role === 'admin' && by.role !== 'owner' && user.userId !== by.id) {
    throw new HatiError('owner_only', { params: { act: 'change, suspend or remove an admin' } });
  }
}
