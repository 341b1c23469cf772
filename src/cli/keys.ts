import { Command, InvalidArgumentError, Option } from 'commander';
import { parseScopes } from '../policy/authority.ts';
import { createOverApi, isOverApi, listOverApi, revokeOverApi, rotateOverApi } from './api/keys.ts';
import type { ApiKeyOptions, CreateOptions, RevokeOptions, RotateOptions } from './api/keys.ts';
import { confirmed, inOrg, repeatable, wholeNumber } from './api/options.ts';
import { CommandError } from './context.ts';
import type { CommandContext } from './context.ts';
import { createBySql, listBySql, revokeBySql, rotateBySql } from './keys-by-sql.ts';

/**
 * Keys of this project's own proxy are made by SQL, as any client may; those of an environment of a control plane over its API.
 */
export function keysCommand(context: CommandContext): Command {
  const group = new Command('keys')
    .description("list, create, rotate and revoke the agents' API keys")
    .addHelpText(
      'after',
      `
Examples:
  hati keys create analytics-agent --scope readonly --description "nightly reports"
  hati keys create loader --scope query:read,query:write --schema staging --table main.orders
  hati keys create reports --scope query:read --env production --ip 203.0.113.0/24 --expires-in-days 90
  hati keys rotate reports --env production --grace 24
  hati keys list --json

By SQL through the proxy of this project; with --env, or outside of all projects, over the API of a control plane.`,
    );
  group.addCommand(
    withKeyOptions(new Command('list'))
      .description('the active keys; never their secrets')
      .action((options: ApiKeyOptions) =>
        isOverApi(context, options) ? listOverApi(context, options) : listBySql(context, options),
      ),
  );
  group.addCommand(
    withKeyOptions(new Command('create'))
      .description('a key for an agent; the secret is printed this once')
      .argument('<agent>', 'the name of the agent')
      .addOption(
        new Option(
          '--scope <scope>',
          'what it may do: readonly, admin, or scopes such as query:read,query:write',
        )
          .argParser(checkedScope)
          .makeOptionMandatory(),
      )
      .option('--description <text>', 'what it is for', '')
      .addOption(repeatable('--schema <name>', 'limit it to this schema (repeatable)'))
      .addOption(repeatable('--table <schema.name>', 'limit it to this table (repeatable)'))
      .addOption(repeatable('--function <schema.name>', 'a function it may call (repeatable)'))
      .addOption(repeatable('--ip <network>', 'with --env: from where it may come (repeatable)'))
      .addOption(wholeNumber('--expires-in-days <n>', 'with --env: it ends by itself'))
      .addOption(wholeNumber('--rotate-every-days <n>', 'with --env: new secrets by schedule'))
      .action((agent: string, options: CreateOptions) => create(context, agent, options)),
  );
  group.addCommand(
    withKeyOptions(new Command('rotate'))
      .description("a new secret for an agent's key; the old one ends at once, unless with --env")
      .argument('<agent>', 'the name of the agent')
      .addOption(
        wholeNumber('--grace <hours>', 'with --env: how long the old one goes on (default: 72)'),
      )
      .action((agent: string, options: RotateOptions) => rotate(context, agent, options)),
  );
  group.addCommand(
    confirmed(withKeyOptions(new Command('revoke')))
      .description("end an agent's key at once, its sessions included; with --env it asks first")
      .argument('<agent>', 'the name of the agent')
      .action((agent: string, options: RevokeOptions) =>
        isOverApi(context, options)
          ? revokeOverApi(context, agent, options)
          : revokeBySql(context, agent, options),
      ),
  );
  return group;
}

function withKeyOptions(command: Command): Command {
  return inOrg(command, 'the local administrator; over the API, who has logged in').option(
    '--env <id or slug>',
    'an environment of a control plane (default there: the only one)',
  );
}

function checkedScope(value: string): string {
  if (parseScopes(value) !== undefined) return value;
  throw new InvalidArgumentError(
    'Use readonly, admin, or a list such as query:read,schema:*; see docs/scopes.md.',
  );
}

async function create(
  context: CommandContext,
  agent: string,
  options: CreateOptions,
): Promise<void> {
  if (isOverApi(context, options)) {
    await createOverApi(context, agent, options);
    return;
  }
  const { ip, expiresInDays, rotateEveryDays } = options;
  if (ip.length > 0) throw notBySql('--ip');
  if (expiresInDays !== undefined) throw notBySql('--expires-in-days');
  if (rotateEveryDays !== undefined) throw notBySql('--rotate-every-days');
  await createBySql(context, agent, options);
}

async function rotate(
  context: CommandContext,
  agent: string,
  options: RotateOptions,
): Promise<void> {
  if (isOverApi(context, options)) await rotateOverApi(context, agent, options);
  else if (options.grace !== undefined) throw notBySql('--grace');
  else await rotateBySql(context, agent, options);
}

function notBySql(flag: string): CommandError {
  return new CommandError(
    `${flag} is for keys of a control plane; name the environment with --env.`,
    { exitCode: 2 },
  );
}
