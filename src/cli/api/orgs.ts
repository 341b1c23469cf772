import { Command } from 'commander';
import type { CommandContext } from '../context.ts';
import { confirm } from './ask.ts';
import { openApi } from './client.ts';
import { confirmed, given, inOrg, isOn, toggle, withApi } from './options.ts';
import type { Confirmed, InOrg } from './options.ts';
import { orgIdOf, userIdOf } from './places.ts';
import type { ApiOptions } from './server.ts';
import { showDone, showList, showOne } from './shown.ts';

type OnOff = 'on' | 'off';

interface SettingOptions extends ApiOptions {
  readonly mfaRequired?: OnOff;
  readonly enforceSso?: OnOff;
}

interface CreateOptions extends SettingOptions {
  readonly slug: string;
  readonly billingEmail: string;
  readonly region?: string;
}

interface UpdateOptions extends SettingOptions {
  readonly name?: string;
  readonly slug?: string;
  readonly billingEmail?: string;
}

export function orgsCommand(context: CommandContext): Command {
  const group = new Command('orgs')
    .description('organizations: list, create, change, delete, give to another owner')
    .addHelpText(
      'after',
      `
Examples:
  hati orgs list
  hati orgs create "Acme Analytics" --slug acme --billing-email billing@acme.example
  hati orgs update acme --mfa-required on
  hati orgs transfer ada@acme.example --org acme`,
    );
  group.addCommand(
    withApi(new Command('list'))
      .description('those that you are in')
      .action(async (options: ApiOptions) => {
        const items = await openApi(context, options).all('GET /v1/organizations');
        showList(context, options, items, ['org_id', 'slug', 'name', 'tier', 'status', 'role']);
      }),
  );
  group.addCommand(
    withApi(new Command('show'))
      .description('one organization, by id or slug')
      .argument('[org]', 'without it, that of the login')
      .action(async (org: string | undefined, options: ApiOptions) => {
        const api = openApi(context, options);
        const org_id = await orgIdOf(api, { ...(org !== undefined && { org }) });
        const found = await api.call('GET /v1/organizations/{org_id}', { params: { org_id } });
        showOne(context, options, found);
      }),
  );
  group.addCommand(
    withSettings(withApi(new Command('create')))
      .description('a new one; you are its owner')
      .argument('<name>', 'what people call it')
      .requiredOption('--slug <slug>', 'its name in addresses: lower-case letters, digits, dashes')
      .requiredOption('--billing-email <email>', 'where bills go')
      .option('--region <region>', 'where its data is (default: us-east-1)')
      .action((name: string, options: CreateOptions) => create(context, name, options)),
  );
  group.addCommand(
    withSettings(withApi(new Command('update')))
      .description('change what is given, leave the rest')
      .argument('[org]', 'without it, that of the login')
      .option('--name <name>', 'what people call it')
      .option('--slug <slug>', 'its name in addresses')
      .option('--billing-email <email>', 'where bills go')
      .action((org: string | undefined, options: UpdateOptions) => update(context, org, options)),
  );
  group.addCommand(
    confirmed(withApi(new Command('delete')))
      .description('end it, with its keys and the sessions of its users')
      .argument('<org>', 'id or slug')
      .action((org: string, options: ApiOptions & Confirmed) => remove(context, org, options)),
  );
  group.addCommand(
    confirmed(inOrg(new Command('transfer')))
      .description('make another of its users the owner; you stay as an admin')
      .argument('<user>', 'id or email address')
      .action((user: string, options: InOrg & Confirmed) => transfer(context, user, options)),
  );
  return group;
}

function withSettings(command: Command): Command {
  return command
    .addOption(toggle('--mfa-required <on|off>', 'whether its users need a second factor'))
    .addOption(toggle('--enforce-sso <on|off>', 'whether they log in by single sign-on only'));
}

function settingsOf({ mfaRequired, enforceSso }: SettingOptions) {
  return given({ mfa_required: isOn(mfaRequired), enforce_sso: isOn(enforceSso) });
}

async function create(
  context: CommandContext,
  name: string,
  options: CreateOptions,
): Promise<void> {
  const { slug, billingEmail: billing_email, region: cloud_region } = options;
  const body = { name, slug, billing_email, cloud_region, settings: settingsOf(options) };
  const created = await openApi(context, options).call('POST /v1/organizations', { body });
  showOne(context, options, created);
}

async function update(
  context: CommandContext,
  org: string | undefined,
  options: UpdateOptions,
): Promise<void> {
  const api = openApi(context, options);
  const org_id = await orgIdOf(api, { ...(org !== undefined && { org }) });
  const { name, slug, billingEmail: billing_email } = options;
  const body = { name, slug, billing_email, settings: settingsOf(options) };
  const changed = await api.call('PATCH /v1/organizations/{org_id}', { params: { org_id }, body });
  showOne(context, options, changed);
}

async function remove(
  context: CommandContext,
  org: string,
  options: ApiOptions & Confirmed,
): Promise<void> {
  const api = openApi(context, options);
  const org_id = await orgIdOf(api, { org });
  await confirm(context, `Deleting the organization ${org}`, options);
  const body = await api.call('DELETE /v1/organizations/{org_id}', { params: { org_id } });
  showDone(context, options, body, `The organization ${org} is deleted.`);
}

async function transfer(
  context: CommandContext,
  user: string,
  options: InOrg & Confirmed,
): Promise<void> {
  const api = openApi(context, options);
  const org_id = await orgIdOf(api, options);
  const user_id = await userIdOf(api, user, org_id);
  await confirm(context, `Giving the organization to ${user}`, options);
  const body = await api.call('POST /v1/organizations/{org_id}/transfer', {
    params: { org_id },
    body: { user_id },
  });
  showDone(context, options, body, `${user} is the owner now.`);
}
