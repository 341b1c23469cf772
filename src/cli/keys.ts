import { Command, InvalidArgumentError, Option } from 'commander';
import { parseScopes } from '../policy/authority.ts';
import { withClient } from './client.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { renderTable, rowToJson } from './table.ts';
import type { TextRow } from './table.ts';

interface KeyOptions {
  readonly key?: string;
  readonly json?: true;
}

interface CreateOptions extends KeyOptions {
  readonly scope: string;
  readonly description: string;
  readonly schema: readonly string[];
  readonly table: readonly string[];
  readonly function: readonly string[];
}

function checkedScope(value: string): string {
  if (parseScopes(value) !== undefined) return value;
  throw new InvalidArgumentError(
    'Use readonly, admin, or a list such as query:read,schema:*; see docs/scopes.md.',
  );
}

function repeatable(flags: string, description: string): Option {
  return new Option(flags, description)
    .default([] as readonly string[], 'none')
    .argParser((value: string, before: readonly string[]) => [...before, value]);
}

/** As `create_api_key` takes them. */
function limitsOf(options: CreateOptions): string | null {
  const { schema: schemas, table: tables, function: functions } = options;
  const isLimited = schemas.length + tables.length > 0;
  if (!isLimited && functions.length === 0) return null;
  return JSON.stringify({ ...(isLimited && { schemas, tables }), functions });
}

const asText = { getTypeParser: () => (value: string) => value };

export function keysCommand(context: CommandContext): Command {
  const group = new Command('keys')
    .description("list, create, rotate and revoke the agents' API keys")
    .addHelpText(
      'after',
      `
Examples:
  hati keys create analytics-agent --scope readonly --description "nightly reports"
  hati keys create loader --scope query:read,query:write --schema staging --table main.orders
  hati keys rotate analytics-agent
  hati keys list --json`,
    );
  group.addCommand(
    withKeyOptions(new Command('list'))
      .description('the active keys; never their secrets')
      .action((options: KeyOptions) => list(context, options)),
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
      .action((agent: string, options: CreateOptions) =>
        issue(context, options, 'SELECT create_api_key($1, $2, $3, $4)', [
          agent,
          options.scope,
          options.description,
          limitsOf(options),
        ]),
      ),
  );
  group.addCommand(
    withKeyOptions(new Command('rotate'))
      .description("a new secret for an agent's key; the old one ends at once")
      .argument('<agent>', 'the name of the agent')
      .action((agent: string, options: KeyOptions) =>
        issue(context, options, 'SELECT rotate_api_key($1)', [agent]),
      ),
  );
  group.addCommand(
    withKeyOptions(new Command('revoke'))
      .description("end an agent's key at once, its sessions included")
      .argument('<agent>', 'the name of the agent')
      .action((agent: string, options: KeyOptions) => revoke(context, options, agent)),
  );
  return group;
}

function withKeyOptions(command: Command): Command {
  return command
    .option(
      '--key <key>',
      'an admin API key (better: HATIDATA_API_KEY); without it, the local administrator',
    )
    .option('--json', 'as JSON');
}

async function list(context: CommandContext, options: KeyOptions): Promise<void> {
  await withClient(context, options, async (client) => {
    const { fields, rows } = await client.query<(string | null)[]>({
      text: 'SELECT agent_id, scope, created_at, last_used_at, limits FROM _hatidata_keys.active_keys ORDER BY agent_id',
      rowMode: 'array',
      types: asText,
    });
    writeLine(
      context.stdout,
      options.json === true
        ? JSON.stringify(
            rows.map((row) => rowToJson(fields, row)),
            null,
            2,
          )
        : renderTable(fields, rows satisfies readonly TextRow[]),
    );
  });
}

/** The secret alone on standard output, so that a script can take it; words for people go beside it. */
async function issue(
  context: CommandContext,
  options: KeyOptions,
  text: string,
  values: readonly (string | null)[],
): Promise<void> {
  const secret = await call(context, options, text, values);
  writeLine(
    context.stdout,
    options.json === true ? JSON.stringify({ agent_id: values[0], api_key: secret }) : secret,
  );
  writeLine(context.stderr, 'Keep this key now; it is not stored and cannot be shown again.');
}

async function revoke(context: CommandContext, options: KeyOptions, agent: string): Promise<void> {
  await call(context, options, 'SELECT revoke_api_key($1)', [agent]);
  writeLine(
    context.stdout,
    options.json === true
      ? JSON.stringify({ agent_id: agent, revoked: true })
      : `The key of ${agent} is revoked.`,
  );
}

async function call(
  context: CommandContext,
  options: KeyOptions,
  text: string,
  values: readonly (string | null)[],
): Promise<string> {
  return await withClient(context, options, async (client) => {
    const { rows } = await client.query<string[]>({ text, values: [...values], rowMode: 'array' });
    const value = rows[0]?.[0];
    if (value === undefined)
      throw new CommandError('The proxy answered without a row; see `hati logs`.');
    return value;
  });
}
