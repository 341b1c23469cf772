import { Argument, Command, Option } from 'commander';
import { roles } from '../../api/permissions.ts';
import type { Role } from '../../api/permissions.ts';
import type { CommandContext } from '../context.ts';
import { confirm } from './ask.ts';
import { openApi } from './client.ts';
import type { ApiClient } from './client.ts';
import { confirmed, inOrg } from './options.ts';
import type { Confirmed, InOrg } from './options.ts';
import { orgIdOf, userIdOf } from './places.ts';
import type { Answer } from './routes.ts';
import { showDone, showList, showOne, showSecret } from './shown.ts';

const statuses = ['active', 'invited', 'suspended'] as const;

interface ListOptions extends InOrg {
  readonly role?: Role;
  readonly status?: (typeof statuses)[number];
}

interface InviteOptions extends InOrg {
  readonly role: Role;
  readonly name?: string;
}

type Invited = Answer<'POST /v1/organizations/{org_id}/users'>;

export function usersCommand(context: CommandContext): Command {
  const group = new Command('users')
    .description('users of an organization: list, invite, change, suspend, remove')
    .addHelpText(
      'after',
      `
Examples:
  hati users invite ada@acme.example --role developer --name Ada
  hati users role ada@acme.example admin
  hati users list --status invited --json`,
    );
  group.addCommand(
    inOrg(new Command('list'))
      .description('all of them, oldest first')
      .addOption(new Option('--role <role>', 'only these').choices(roles))
      .addOption(new Option('--status <status>', 'only these').choices(statuses))
      .action((options: ListOptions) => list(context, options)),
  );
  group.addCommand(
    inOrg(new Command('show'))
      .description('one user')
      .addArgument(userArgument())
      .action(async (user: string, options: InOrg) => {
        const { api, params } = await userAt(context, user, options);
        const path = 'GET /v1/organizations/{org_id}/users/{user_id}';
        showOne(context, options, await api.call(path, { params }));
      }),
  );
  group.addCommand(
    inOrg(new Command('invite'))
      .description('by a mail; where the server sends none, the link is printed this once')
      .argument('<email>', 'whom')
      .addOption(roleOption().makeOptionMandatory())
      .option('--name <name>', 'what the user is called')
      .action((email: string, options: InviteOptions) => invite(context, email, options)),
  );
  group.addCommand(
    inOrg(new Command('resend'))
      .description('invite again, with a new link; the old one ends')
      .addArgument(userArgument())
      .action(async (user: string, options: InOrg) => {
        const { api, params } = await userAt(context, user, options);
        const path = 'POST /v1/organizations/{org_id}/users/{user_id}/resend';
        showInvited(context, options, await api.call(path, { params }));
      }),
  );
  group.addCommand(
    inOrg(new Command('role'))
      .description("change a user's role")
      .addArgument(userArgument())
      .addArgument(new Argument('<role>', 'the new one').choices(roles))
      .action(async (user: string, role: Role, options: InOrg) => {
        const { api, params } = await userAt(context, user, options);
        const path = 'PUT /v1/organizations/{org_id}/users/{user_id}/role';
        const body = await api.call(path, { params, body: { role } });
        showDone(context, options, body, `${body.email} is ${body.role} now.`);
      }),
  );
  group.addCommand(
    inOrg(new Command('suspend'))
      .description('shut a user out at once; API keys that he made are revoked')
      .addArgument(userArgument())
      .action(async (user: string, options: InOrg) => {
        const { api, params } = await userAt(context, user, options);
        const path = 'POST /v1/organizations/{org_id}/users/{user_id}/suspend';
        const body = await api.call(path, { params });
        showDone(context, options, body, `${body.email} is suspended.`);
      }),
  );
  group.addCommand(
    inOrg(new Command('resume'))
      .description('let a suspended user in again')
      .addArgument(userArgument())
      .action(async (user: string, options: InOrg) => {
        const { api, params } = await userAt(context, user, options);
        const path = 'POST /v1/organizations/{org_id}/users/{user_id}/resume';
        const body = await api.call(path, { params });
        showDone(context, options, body, `${body.email} is active again.`);
      }),
  );
  group.addCommand(
    confirmed(inOrg(new Command('remove')))
      .description('take a user out of the organization, at once, with API keys that he made')
      .addArgument(userArgument())
      .action((user: string, options: InOrg & Confirmed) => remove(context, user, options)),
  );
  return group;
}

function userArgument(): Argument {
  return new Argument('<user>', 'id or email address');
}

function roleOption(): Option {
  return new Option('--role <role>', 'what the user may do; see docs/roles.md').choices(roles);
}

interface Found {
  readonly api: ApiClient;
  readonly params: { readonly org_id: string; readonly user_id: string };
}

async function userAt(context: CommandContext, user: string, options: InOrg): Promise<Found> {
  const api = openApi(context, options);
  const org_id = await orgIdOf(api, options);
  return { api, params: { org_id, user_id: await userIdOf(api, user, org_id) } };
}

async function list(context: CommandContext, options: ListOptions): Promise<void> {
  const api = openApi(context, options);
  const items = await api.all('GET /v1/organizations/{org_id}/users', {
    params: { org_id: await orgIdOf(api, options) },
    query: { role: options.role, status: options.status },
  });
  showList(context, options, items, ['user_id', 'email', 'name', 'role', 'status', 'last_login']);
}

async function invite(
  context: CommandContext,
  email: string,
  options: InviteOptions,
): Promise<void> {
  const api = openApi(context, options);
  const params = { org_id: await orgIdOf(api, options) };
  const body = { email, role: options.role, name: options.name };
  const invited = await api.call('POST /v1/organizations/{org_id}/users', { params, body });
  showInvited(context, options, invited);
}

function showInvited(context: CommandContext, options: InOrg, invited: Invited): void {
  const { email, invitation_expires_at: end, invitation_link: secret, mail } = invited;
  if (secret === undefined) {
    const sentence =
      mail === 'failed'
        ? `${email} is invited until ${end}, but the mail was not taken; see \`hati users resend\`.`
        : `${email} is invited by mail, until ${end}.`;
    showDone(context, options, invited, sentence);
    return;
  }
  const words = [
    `${email} is invited until ${end}. This server sends no mails: hand the link over yourself.`,
    'It is not stored and cannot be shown again.',
  ];
  showSecret(context, options, { body: invited, secret, words });
}

async function remove(
  context: CommandContext,
  user: string,
  options: InOrg & Confirmed,
): Promise<void> {
  const { api, params } = await userAt(context, user, options);
  await confirm(context, `Removing ${user}, which revokes API keys made by that user,`, options);
  const path = 'DELETE /v1/organizations/{org_id}/users/{user_id}';
  const body = await api.call(path, { params });
  showDone(context, options, body, `${user} is not in the organization any more.`);
}
