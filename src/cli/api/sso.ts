import { text } from 'node:stream/consumers';
import { Command, Option } from 'commander';
import type { firstRoles } from '../../api/single-sign-on.ts';
import type { CommandContext } from '../context.ts';
import { confirm } from './ask.ts';
import { openApi } from './client.ts';
import { confirmed, inOrg, repeatable } from './options.ts';
import type { Confirmed, InOrg } from './options.ts';
import { orgIdOf } from './places.ts';
import { showDone, showOne } from './shown.ts';

type FirstRole = (typeof firstRoles)[number];

interface SetOptions extends InOrg {
  readonly issuer: string;
  readonly clientId: string;
  readonly secretStdin?: true;
  readonly domain: readonly string[];
  readonly defaultRole?: FirstRole;
  readonly provider?: string;
}

export function ssoCommand(context: CommandContext): Command {
  const group = new Command('sso')
    .description('single sign-on of an organization: show, set, remove')
    .addHelpText(
      'after',
      `
Examples:
  hati sso set --issuer https://acme.okta.com --client-id 0oa5x1 --domain acme.example \\
    --secret-stdin < client-secret
  hati orgs update --enforce-sso on
  hati login --sso --org acme`,
    );
  group.addCommand(
    inOrg(new Command('show'))
      .description('how it is set up, with the redirect URI for the provider; never its secret')
      .action(async (options: InOrg) => {
        const api = openApi(context, options);
        const params = { org_id: await orgIdOf(api, options) };
        showOne(context, options, await api.call('GET /v1/organizations/{org_id}/sso', { params }));
      }),
  );
  group.addCommand(
    inOrg(new Command('set'))
      .description('set it up, or anew; the provider is asked before anything is stored')
      .requiredOption('--issuer <url>', 'what the provider calls itself')
      .requiredOption('--client-id <id>', 'what the provider calls us')
      .option(
        '--secret-stdin',
        'read the client secret from standard input; without it, the one that is there stays',
      )
      .addOption(repeatable('--domain <domain>', 'of email addresses that may come; repeatable'))
      .addOption(
        new Option(
          '--default-role <role>',
          'of who comes for the first time (default: only users and who is invited may come)',
        ).choices(['developer', 'analyst', 'auditor'] satisfies FirstRole[]),
      )
      .option('--provider <name>', 'what people call it (default: the host of the issuer)')
      .action((options: SetOptions) => set(context, options)),
  );
  group.addCommand(
    confirmed(inOrg(new Command('remove')))
      .description('end it, with the sessions that came by it')
      .action((options: InOrg & Confirmed) => remove(context, options)),
  );
  return group;
}

async function set(context: CommandContext, options: SetOptions): Promise<void> {
  const api = openApi(context, options);
  const params = { org_id: await orgIdOf(api, options) };
  const { issuer, clientId: client_id, domain, defaultRole: default_role, provider } = options;
  const client_secret =
    options.secretStdin === true ? (await text(context.stdin)).replace(/\r?\n$/, '') : undefined;
  const email_domains = [...domain];
  const body = { issuer, client_id, client_secret, email_domains, default_role, provider };
  showOne(context, options, await api.call('PUT /v1/organizations/{org_id}/sso', { params, body }));
}

async function remove(context: CommandContext, options: InOrg & Confirmed): Promise<void> {
  const api = openApi(context, options);
  const params = { org_id: await orgIdOf(api, options) };
  await confirm(context, 'Removing single sign-on', options);
  const body = await api.call('DELETE /v1/organizations/{org_id}/sso', { params });
  const count = body.sessions_ended;
  showDone(
    context,
    options,
    body,
    `Single sign-on is removed; ${count} ${count === 1 ? 'session' : 'sessions'} ended.`,
  );
}
