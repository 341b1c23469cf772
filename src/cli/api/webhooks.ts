import { Argument, Command, Option } from 'commander';
import type { CommandContext } from '../context.ts';
import { confirm } from './ask.ts';
import { openApi } from './client.ts';
import type { ApiClient } from './client.ts';
import { confirmed, inOrg, repeatable, wholeNumber } from './options.ts';
import type { Confirmed, InOrg } from './options.ts';
import { orgIdOf } from './places.ts';
import { showDone, showList, showOne, showSecret } from './shown.ts';

const states = ['pending', 'delivered', 'failed'] as const;

interface CreateOptions extends InOrg {
  readonly event: readonly string[];
  readonly description?: string;
}

interface UpdateOptions extends CreateOptions {
  readonly to?: string;
  readonly disable?: true;
}

interface DeliveriesOptions extends InOrg {
  readonly state?: (typeof states)[number];
}

interface RotateOptions extends InOrg {
  readonly grace?: number;
}

const keepSecret = 'Keep this signing secret now; it cannot be shown again.';

export function webhooksCommand(context: CommandContext): Command {
  const group = new Command('webhooks')
    .description('webhooks of an organization, and what they were sent')
    .addHelpText(
      'after',
      `
Examples:
  hati webhooks create https://acme.example/hook --event key.rotated --event key.expiring
  hati webhooks deliveries wh_4f1c --state failed
  hati webhooks rotate-secret wh_4f1c --grace 48`,
    );
  group.addCommand(
    inOrg(new Command('list'))
      .description('all of them, newest first; never their secrets')
      .action(async (options: InOrg) => {
        const api = openApi(context, options);
        const params = { org_id: await orgIdOf(api, options) };
        const items = await api.all('GET /v1/organizations/{org_id}/webhooks', { params });
        showList(context, options, items, [
          ...(['webhook_id', 'url', 'status', 'events'] as const),
          ...(['last_status_code', 'failure_count'] as const),
        ]);
      }),
  );
  group.addCommand(
    inOrg(new Command('show'))
      .description('one webhook')
      .addArgument(webhookArgument())
      .action(async (webhook: string, options: InOrg) => {
        const { api, params } = await webhookAt(context, webhook, options);
        const path = 'GET /v1/organizations/{org_id}/webhooks/{webhook_id}';
        showOne(context, options, await api.call(path, { params }));
      }),
  );
  group.addCommand(
    withContents(inOrg(new Command('create')))
      .description('have events sent to an address; the signing secret is printed this once')
      .argument('<address>', 'a URL: HTTPS; plain HTTP only to the machine of the server')
      .action((url: string, options: CreateOptions) => create(context, url, options)),
  );
  group.addCommand(
    withContents(inOrg(new Command('update')))
      .description('change what is given, leave the rest')
      .addArgument(webhookArgument())
      .option('--to <address>', 'another URL')
      .option('--disable', 'tell it of nothing until `hati webhooks enable`')
      .action((webhook: string, options: UpdateOptions) => update(context, webhook, options)),
  );
  group.addCommand(
    inOrg(new Command('enable'))
      .description('send again to one that was disabled, and what waits for it')
      .addArgument(webhookArgument())
      .action(async (webhook: string, options: InOrg) => {
        const { api, params } = await webhookAt(context, webhook, options);
        const path = 'POST /v1/organizations/{org_id}/webhooks/{webhook_id}/enable';
        const body = await api.call(path, { params });
        showDone(context, options, body, `The webhook ${webhook} is ${body.status}.`);
      }),
  );
  group.addCommand(
    confirmed(inOrg(new Command('delete')))
      .description('end it, with what waits for it')
      .addArgument(webhookArgument())
      .action(async (webhook: string, options: InOrg & Confirmed) => {
        const { api, params } = await webhookAt(context, webhook, options);
        await confirm(context, `Deleting the webhook ${webhook}`, options);
        const path = 'DELETE /v1/organizations/{org_id}/webhooks/{webhook_id}';
        const body = await api.call(path, { params });
        showDone(context, options, body, `The webhook ${webhook} is deleted.`);
      }),
  );
  group.addCommand(
    inOrg(new Command('test'))
      .description('send it a test event; `hati webhooks deliveries` shows how it went')
      .addArgument(webhookArgument())
      .action(async (webhook: string, options: InOrg) => {
        const { api, params } = await webhookAt(context, webhook, options);
        const path = 'POST /v1/organizations/{org_id}/webhooks/{webhook_id}/test';
        const body = await api.call(path, { params });
        showDone(context, options, body, `${body.delivery_id} is on its way.`);
      }),
  );
  group.addCommand(
    inOrg(new Command('rotate-secret'))
      .description('a new signing secret, printed this once')
      .addArgument(webhookArgument())
      .addOption(wholeNumber('--grace <hours>', 'how long to sign with both (default: 24)'))
      .action((webhook: string, options: RotateOptions) => rotate(context, webhook, options)),
  );
  group.addCommand(
    inOrg(new Command('deliveries'))
      .description('what it was sent, newest first')
      .addArgument(webhookArgument())
      .addOption(new Option('--state <state>', 'only these').choices(states))
      .action((webhook: string, options: DeliveriesOptions) =>
        deliveries(context, webhook, options),
      ),
  );
  group.addCommand(
    inOrg(new Command('redeliver'))
      .description('send one of the deliveries again')
      .addArgument(webhookArgument())
      .argument('<delivery>', 'its id')
      .action(async (webhook: string, delivery_id: string, options: InOrg) => {
        const { api, params } = await webhookAt(context, webhook, options);
        const path =
          'POST /v1/organizations/{org_id}/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver';
        const body = await api.call(path, { params: { ...params, delivery_id } });
        showDone(context, options, body, `${body.delivery_id} is on its way.`);
      }),
  );
  return group;
}

function webhookArgument(): Argument {
  return new Argument('<webhook>', 'its id');
}

function withContents(command: Command): Command {
  return command
    .addOption(
      repeatable('--event <name>', 'an event to be told of (repeatable); see docs/webhooks.md'),
    )
    .option('--description <text>', 'what it is for');
}

interface Found {
  readonly api: ApiClient;
  readonly params: { readonly org_id: string; readonly webhook_id: string };
}

async function webhookAt(
  context: CommandContext,
  webhook_id: string,
  options: InOrg,
): Promise<Found> {
  const api = openApi(context, options);
  return { api, params: { org_id: await orgIdOf(api, options), webhook_id } };
}

function eventsOf({ event }: CreateOptions): string[] | undefined {
  return event.length === 0 ? undefined : [...event];
}

async function create(context: CommandContext, url: string, options: CreateOptions): Promise<void> {
  const api = openApi(context, options);
  const params = { org_id: await orgIdOf(api, options) };
  const body = { url, description: options.description, events: eventsOf(options) };
  const created = await api.call('POST /v1/organizations/{org_id}/webhooks', { params, body });
  const words = [`The webhook ${created.webhook_id} is ${created.status}.`, keepSecret];
  showSecret(context, options, { body: created, secret: created.signing_secret, words });
}

async function update(
  context: CommandContext,
  webhook: string,
  options: UpdateOptions,
): Promise<void> {
  const { api, params } = await webhookAt(context, webhook, options);
  const { to: url, description, disable } = options;
  const status = disable === true ? ('disabled' as const) : undefined;
  const body = { url, description, events: eventsOf(options), status };
  const path = 'PATCH /v1/organizations/{org_id}/webhooks/{webhook_id}';
  showOne(context, options, await api.call(path, { params, body }));
}

async function rotate(
  context: CommandContext,
  webhook: string,
  options: RotateOptions,
): Promise<void> {
  const { api, params } = await webhookAt(context, webhook, options);
  const path = 'POST /v1/organizations/{org_id}/webhooks/{webhook_id}/rotate-secret';
  const body = await api.call(path, { params, body: { grace_period_hours: options.grace } });
  const words = [`Until ${body.previous_secret_expires_at} both sign.`, keepSecret];
  showSecret(context, options, { body, secret: body.signing_secret, words });
}

async function deliveries(
  context: CommandContext,
  webhook: string,
  options: DeliveriesOptions,
): Promise<void> {
  const { api, params } = await webhookAt(context, webhook, options);
  const path = 'GET /v1/organizations/{org_id}/webhooks/{webhook_id}/deliveries';
  const items = await api.all(path, { params, query: { state: options.state } });
  showList(context, options, items, [
    ...(['delivery_id', 'event_type', 'state', 'attempts'] as const),
    ...(['last_status_code', 'last_error', 'created_at'] as const),
  ]);
}
