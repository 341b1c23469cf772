import { text } from 'node:stream/consumers';
import { Command } from 'commander';
import { randomCharacters } from '../shared/ids.ts';
import { createLogger } from '../shared/log.ts';
import { writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { findProject, loadConfig } from './project.ts';

interface CreateKeyOptions {
  readonly description: string;
  readonly json?: true;
}

interface ResetPasswordOptions {
  readonly passwordStdin?: true;
  readonly removeSecondFactor?: true;
  readonly json?: true;
}

interface CreateOwnerOptions {
  readonly name?: string;
  readonly passwordStdin?: true;
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
  group.addCommand(
    new Command('create-owner')
      .description(
        'the first user of a server, owner of its organization, made in its control store',
      )
      .argument('<email>', 'what the owner logs in with')
      .option('--name <text>', 'what the owner is called')
      .option('--password-stdin', 'read the password from standard input; without, one is made')
      .option('--json', 'as JSON')
      .addHelpText(
        'after',
        `
Examples:
  hati admin create-owner ada@example.com --name Ada
  hati admin create-owner ada@example.com --password-stdin < password.txt
Works while the proxy runs and while it does not. Further users: the owner invites them.`,
      )
      .action((email: string, options: CreateOwnerOptions) => createOwner(context, email, options)),
  );
  group.addCommand(
    new Command('reset-password')
      .description('a new password for a user who has forgotten his, set in the control store')
      .argument('<email>', 'what the user logs in with')
      .option('--password-stdin', 'read the password from standard input; without, one is made')
      .option('--remove-second-factor', 'where the user has lost it, and the recovery codes')
      .option('--json', 'as JSON')
      .addHelpText(
        'after',
        `
Examples:
  hati admin reset-password ada@example.com
Ends all sessions of the user. Works while the proxy runs and while it does not.`,
      )
      .action((email: string, options: ResetPasswordOptions) =>
        resetPassword(context, email, options),
      ),
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
  const { createAdminKey } = await import('../operator.ts');
  const secret = await createAdminKey(config, { agent, description, log });
  writeLine(
    context.stdout,
    json === true ? JSON.stringify({ agent_id: agent, api_key: secret }) : secret,
  );
  writeLine(context.stderr, 'Keep this key now; it is not stored and cannot be shown again.');
}

/** 124 bits. */
const madePasswordLength = 24;

async function createOwner(
  context: CommandContext,
  email: string,
  { name = email, passwordStdin, json }: CreateOwnerOptions,
): Promise<void> {
  const { stdin, stdout, stderr } = context;
  const { config } = loadConfig(findProject(context), context);
  const log = createLogger({ level: 'fatal' });
  const given = passwordStdin === true ? await readPassword(stdin) : undefined;
  const password = given ?? randomCharacters(madePasswordLength);
  const { createFirstOwner } = await import('../operator.ts');
  const { userId, orgId } = await createFirstOwner(config, { email, name, password, log });
  if (json === true) {
    const shown = given === undefined ? { password } : {};
    writeLine(stdout, JSON.stringify({ user_id: userId, email, org_id: orgId, ...shown }));
  } else if (given === undefined) writeLine(stdout, password);
  writeLine(stderr, `${email} is the owner of ${orgId}.`);
  if (given === undefined)
    writeLine(stderr, 'Keep this password now; it is not stored and cannot be shown again.');
}

async function resetPassword(
  context: CommandContext,
  email: string,
  { passwordStdin, removeSecondFactor, json }: ResetPasswordOptions,
): Promise<void> {
  const { stdin, stdout, stderr } = context;
  const { config } = loadConfig(findProject(context), context);
  const log = createLogger({ level: 'fatal' });
  const given = passwordStdin === true ? await readPassword(stdin) : undefined;
  const password = given ?? randomCharacters(madePasswordLength);
  const { resetUserPassword } = await import('../operator.ts');
  const removesSecondFactor = removeSecondFactor === true;
  const ended = await resetUserPassword(config, { email, password, removesSecondFactor, log });
  if (json === true) {
    const shown = given === undefined ? { password } : {};
    writeLine(stdout, JSON.stringify({ email, sessions_ended: ended, ...shown }));
  } else if (given === undefined) writeLine(stdout, password);
  writeLine(stderr, `${email} has a new password; ${ended} sessions ended.`);
  if (given === undefined)
    writeLine(stderr, 'Keep this password now; it is not stored and cannot be shown again.');
}

async function readPassword(stdin: CommandContext['stdin']): Promise<string> {
  return (await text(stdin)).replace(/\r?\n$/, '');
}
