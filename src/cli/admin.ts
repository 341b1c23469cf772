import { Command } from 'commander';
import { createLogger } from '../shared/log.ts';
import { writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { findProject, loadConfig } from './project.ts';

interface CreateKeyOptions {
  readonly description: string;
  readonly json?: true;
}

export function adminCommand(context: CommandContext): Command {
  const group = new Command('admin').description('for the operator of a server');
  group.addCommand(
    new Command('create-key')
      .description(
        'the first admin key of a server, made in its control store; no key is needed for it',
      )
      .argument('<agent>', 'the name of the agent')
      .option('--description <text>', 'what it is for', '')
      .option('--json', 'as JSON')
      .addHelpText(
        'after',
        `
Examples:
  hati admin create-key platform-team
Works while the proxy runs and while it does not. Further keys: \`hati keys create\`, or SQL.`,
      )
      .action((agent: string, options: CreateKeyOptions) => createKey(context, agent, options)),
  );
  return group;
}

async function createKey(
  context: CommandContext,
  agent: string,
  { description, json }: CreateKeyOptions,
): Promise<void> {
  const { config } = loadConfig(findProject(context), context);
  const log = createLogger({ level: 'fatal' });
  // Loaded here and not above, for the same reason as in start.ts.
  const { createAdminKey } = await import('../admin-key.ts');
  const secret = await createAdminKey(config, { agent, description, log });
  writeLine(
    context.stdout,
    json === true ? JSON.stringify({ agent_id: agent, api_key: secret }) : secret,
  );
  writeLine(context.stderr, 'Keep this key now; it is not stored and cannot be shown again.');
}
