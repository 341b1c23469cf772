import type { Kysely } from 'kysely';
import { pageFrom } from '../../api/paging.ts';
import {
  changeRole,
  inviteUser,
  listUsers,
  readUser,
  removeUser,
  resendInvitation,
  resumeUser,
  suspendUser,
} from '../../api/users.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { idOf } from '../caller.ts';
import { bind, type Binding } from '../http/binding.ts';
import { positionBehind } from '../http/cursor.ts';
import type { Delivery, InvitationMail, SentInvitation } from './invitation.ts';
import { userOf, type Member } from './model.ts';
import { administratorOf } from './rules.ts';
import { unknownUser, type UserService } from './service.ts';
import { findMember, listMembers } from './store.ts';

export interface UserRoutesParts {
  readonly db: Kysely<ControlSchema>;
  readonly users: UserService;
  readonly mail: InvitationMail;
}

export function userBindings({ db, users, mail }: UserRoutesParts): readonly Binding[] {
  return [
    bind(listUsers, async ({ params, query }) => {
      const { role, status, limit } = query;
      const behind = positionBehind(query.cursor, 'usr_');
      const listing = { orgId: params.org_id, role, status, limit, behind };
      const { members, total } = await listMembers(db, listing);
      const body = pageFrom(members, {
        limit,
        total,
        item: userOf,
        position: (member) => [member.createdAt.toISOString(), member.userId],
      });
      return { body };
    }),
    bind(readUser, async ({ params }) => {
      const member = await findMember(db, params.org_id, params.user_id);
      if (member === undefined) throw unknownUser();
      return replyOf(member);
    }),
    bind(inviteUser, async ({ params, body, caller, change }) => {
      const made: { invitation?: SentInvitation } = {};
      const reply = await change(async (act, place) => {
        const by = administratorOf(caller, place);
        const invitation = await users.invite(act, by, params.org_id, body);
        made.invitation = invitation;
        return { body: invitedOf(invitation, mail.beforehand(invitation)) };
      });
      // A request that came again: what it asks for was done by the first one.
      if (made.invitation === undefined) return reply;
      return { body: invitedOf(made.invitation, await mail.send(made.invitation)) };
    }),
    bind(resendInvitation, async ({ params, caller, change }) => {
      const { org_id: orgId, user_id: userId } = params;
      const invitation = await change((act, place) =>
        users.resend(act, administratorOf(caller, place), orgId, userId),
      );
      return { body: invitedOf(invitation, await mail.send(invitation)) };
    }),
    bind(changeRole, async ({ params, body, caller, ifVersion, change }) => {
      const { org_id: orgId, user_id: userId } = params;
      const wish = { orgId, userId, role: body.role, ifVersion };
      return replyOf(
        await change((act, place) => users.changeRole(act, administratorOf(caller, place), wish)),
      );
    }),
    bind(suspendUser, async ({ params, caller, change }) => {
      const { org_id: orgId, user_id: userId } = params;
      return replyOf(
        await change((act, place) =>
          users.suspend(act, administratorOf(caller, place), orgId, userId),
        ),
      );
    }),
    bind(resumeUser, async ({ params, caller, change }) => {
      const { org_id: orgId, user_id: userId } = params;
      return replyOf(
        await change((act, place) =>
          users.resume(act, administratorOf(caller, place), orgId, userId),
        ),
      );
    }),
    bind(removeUser, async ({ params, caller, change }) => {
      const { org_id: orgId, user_id: userId } = params;
      const at = await change(async (act, place) => {
        await users.remove(act, administratorOf(caller, place), orgId, userId);
        return act.now;
      });
      return {
        body: {
          user_id: userId,
          removed: true as const,
          removed_at: at.toISOString(),
          removed_by: idOf(caller),
        },
      };
    }),
  ];
}

function replyOf(member: Member) {
  return { body: userOf(member), version: member.version };
}

function invitedOf({ member }: SentInvitation, delivery: Delivery) {
  const expiresAt = member.invitationExpiresAt!.toISOString();
  return { ...userOf(member), invitation_expires_at: expiresAt, ...delivery };
}
