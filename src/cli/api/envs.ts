import { setTimeout as sleep } from 'node:timers/promises';
import { Argument, Command, Option } from 'commander';
import { CommandError, writeLine } from '../context.ts';
import type { CommandContext } from '../context.ts';
import { agree, confirm } from './ask.ts';
import { openApi } from './client.ts';
import type { ApiClient } from './client.ts';
import { confirmed, given, inOrg, wholeNumber } from './options.ts';
import type { Confirmed, InOrg } from './options.ts';
import { envIdOf, orgIdOf } from './places.ts';
import type { Environment } from './places.ts';
import type { Answer } from './routes.ts';
import { showDone, showJson, showList, showOne } from './shown.ts';

const kinds = ['production', 'staging', 'development'] as const;
const statuses = ['provisioning', 'active', 'archived'] as const;

interface ListOptions extends InOrg {
  readonly status?: (typeof statuses)[number];
}

interface ChangeOptions extends InOrg {
  readonly queryTimeoutMs?: number;
  readonly maxConcurrentQueries?: number;
  readonly engine?: string;
  readonly engineReader?: string;
}

interface CreateOptions extends ChangeOptions {
  readonly slug: string;
  readonly kind?: (typeof kinds)[number];
}

interface UpdateOptions extends ChangeOptions {
  readonly name?: string;
}

interface PromoteOptions extends InOrg, Confirmed {
  readonly dryRun?: true;
}

export function envsCommand(context: CommandContext): Command {
  const group = new Command('envs')
    .description('environments: list, create, change, promote, archive')
    .addHelpText(
      'after',
      `
Examples:
  hati envs create Staging --slug staging --query-timeout-ms 60000
  hati envs promote staging production --dry-run
  hati envs archive old-experiment --yes`,
    );
  group.addCommand(
    inOrg(new Command('list'))
      .description('those of an organization; archived ones only by --status')
      .addOption(new Option('--status <status>', 'only these').choices(statuses))
      .action((options: ListOptions) => list(context, options)),
  );
  group.addCommand(
    inOrg(new Command('show'))
      .description('one environment')
      .addArgument(environment())
      .action(async (env: string, options: InOrg) => {
        const api = openApi(context, options);
        const params = { env_id: await envIdOf(api, env, options) };
        showOne(context, options, await api.call('GET /v1/environments/{env_id}', { params }));
      }),
  );
  group.addCommand(
    withChanges(inOrg(new Command('create')))
      .description('a new one, with a database of its own')
      .argument('<name>', 'what people call it')
      .requiredOption('--slug <slug>', 'its name in addresses: lower-case letters, digits, dashes')
      .addOption(
        new Option('--kind <kind>', 'default: what the slug is called, else development').choices(
          kinds,
        ),
      )
      .action((name: string, options: CreateOptions) => create(context, name, options)),
  );
  group.addCommand(
    withChanges(inOrg(new Command('update')))
      .description('change what is given, leave the rest; for sessions that begin later')
      .addArgument(environment())
      .option('--name <name>', 'what people call it')
      .action((env: string, options: UpdateOptions) => update(context, env, options)),
  );
  group.addCommand(
    confirmed(inOrg(new Command('archive')))
      .description('revoke its keys and end its sessions; its database stays')
      .addArgument(environment())
      .action((env: string, options: InOrg & Confirmed) => archive(context, env, options)),
  );
  group.addCommand(
    confirmed(inOrg(new Command('promote')))
      .description(
        'show how two differ, and copy the settings of one to the other; never data or keys',
      )
      .addArgument(new Argument('<source>', 'id or slug'))
      .addArgument(new Argument('<target>', 'id or slug'))
      .option('--dry-run', 'only show what it would change')
      .action((source: string, target: string, options: PromoteOptions) =>
        promote(context, { source, target }, options),
      ),
  );
  return group;
}

function environment(): Argument {
  return new Argument('<env>', 'id or slug');
}

function withChanges(command: Command): Command {
  return command
    .addOption(
      wholeNumber('--query-timeout-ms <n>', 'longest statement; 0: as the server is configured'),
    )
    .addOption(
      wholeNumber(
        '--max-concurrent-queries <n>',
        'engine connections of each kind; 0: as the server is configured',
      ),
    )
    .option('--engine <url>', 'a PostgreSQL of your own, in place of one in the embedded server')
    .option('--engine-reader <url>', 'where readonly keys read; beside --engine');
}

function changesOf(options: ChangeOptions) {
  const { queryTimeoutMs, maxConcurrentQueries, engine: url, engineReader: reader_url } = options;
  if (url === undefined && reader_url !== undefined) {
    throw new CommandError('--engine-reader goes beside --engine.', { exitCode: 2 });
  }
  return {
    settings: given({
      query_timeout_ms: queryTimeoutMs,
      max_concurrent_queries: maxConcurrentQueries,
    }),
    engine: url === undefined ? undefined : { url, reader_url },
  };
}

async function list(context: CommandContext, options: ListOptions): Promise<void> {
  const api = openApi(context, options);
  const items = await api.all('GET /v1/organizations/{org_id}/environments', {
    params: { org_id: await orgIdOf(api, options) },
    query: { status: options.status },
  });
  showList(context, options, items, ['env_id', 'slug', 'name', 'kind', 'status', 'engine']);
}

async function create(
  context: CommandContext,
  name: string,
  options: CreateOptions,
): Promise<void> {
  const { slug, kind } = options;
  const body = { name, slug, kind, ...changesOf(options) };
  const api = openApi(context, options);
  const params = { org_id: await orgIdOf(api, options) };
  const created = await api.call('POST /v1/organizations/{org_id}/environments', { params, body });
  showOne(context, options, await provisioned(api, created));
}

const longestWaitMs = 30_000;

/** There can be no keys in it before it is active. */
async function provisioned(api: ApiClient, created: Environment): Promise<Environment> {
  const { env_id } = created;
  const deadline = performance.now() + longestWaitMs;
  let seen = created;
  while (seen.status === 'provisioning' && performance.now() < deadline) {
    await sleep(500);
    seen = await api.call('GET /v1/environments/{env_id}', { params: { env_id } });
  }
  return seen;
}

async function update(context: CommandContext, env: string, options: UpdateOptions): Promise<void> {
  const body = { name: options.name, ...changesOf(options) };
  const api = openApi(context, options);
  const params = { env_id: await envIdOf(api, env, options) };
  showOne(context, options, await api.call('PATCH /v1/environments/{env_id}', { params, body }));
}

async function archive(
  context: CommandContext,
  env: string,
  options: InOrg & Confirmed,
): Promise<void> {
  const api = openApi(context, options);
  const params = { env_id: await envIdOf(api, env, options) };
  await confirm(context, `Archiving the environment ${env}, which revokes its keys,`, options);
  const body = await api.call('DELETE /v1/environments/{env_id}', { params });
  showDone(context, options, body, `The environment ${env} is archived.`);
}

async function promote(
  context: CommandContext,
  { source, target }: { readonly source: string; readonly target: string },
  options: PromoteOptions,
): Promise<void> {
  const api = openApi(context, options);
  const params = { env_id: await envIdOf(api, source, options) };
  const target_env_id = await envIdOf(api, target, options);
  const preview = await api.call('GET /v1/environments/{env_id}/promotion', {
    params,
    query: { target_env_id },
  });
  const { differences } = preview;
  const isDry = options.dryRun === true;
  if (options.json !== true) showDifferences(context, { source, target, options, differences });
  if (isDry || differences.length === 0) {
    if (options.json === true) showJson(context, preview);
    else if (isDry) writeLine(context.stderr, `Nothing was changed in ${target}.`);
    return;
  }
  await agree(context, `Change ${target}?`, options);
  const body = { target_env_id, differences };
  const done = await api.call('POST /v1/environments/{env_id}/promote', { params, body });
  if (options.json === true) showJson(context, done);
  else writeLine(context.stderr, `${target} has the settings of ${source} now.`);
}

function showDifferences(
  context: CommandContext,
  {
    source,
    target,
    options,
    differences,
  }: {
    readonly source: string;
    readonly target: string;
    readonly options: PromoteOptions;
    readonly differences: Answer<'GET /v1/environments/{env_id}/promotion'>['differences'];
  },
): void {
  if (differences.length === 0) {
    writeLine(context.stdout, `${target} has the settings of ${source} already.`);
    return;
  }
  const rows = differences.map((each) => ({
    setting: each.field,
    before: each.target,
    after: each.source,
  }));
  showList(context, options, rows, ['setting', 'before', 'after']);
}
