import { acceptInvitation, joinByInvitation } from '../../api/invitations.ts';
import { bind, type Binding } from '../http/binding.ts';
import type { Acceptances } from './acceptance.ts';
import type { PendingInvitation } from './invitation-store.ts';

export function invitationBindings(acceptances: Acceptances): readonly Binding[] {
  return [
    bind(acceptInvitation, async ({ body, source, change }) => {
      const { token, name, password } = body;
      const invitation = await acceptances.accept(change, { token, name, password, source });
      return { body: joinedOf(invitation) };
    }),
    bind(joinByInvitation, async ({ body, caller, change }) => ({
      body: joinedOf(await acceptances.join(change, caller, body.token)),
    })),
  ];
}

function joinedOf({ orgId, organization, userId, email, role }: PendingInvitation) {
  return {
    org_id: orgId,
    organization,
    user_id: userId,
    email,
    role,
    status: 'active' as const,
  };
}
