import { Command, CommanderError } from 'commander';
import { DatabaseError } from 'pg';
import { HatiError } from '../errors.ts';
import { redactSecrets } from '../shared/redact.ts';
import { packageVersion } from '../shared/version.ts';
import { adminCommand } from './admin.ts';
import { envsCommand } from './api/envs.ts';
import { loginCommand, logoutCommand, whoamiCommand } from './api/login.ts';
import { orgsCommand } from './api/orgs.ts';
import { ssoCommand } from './api/sso.ts';
import { usersCommand } from './api/users.ts';
import { webhooksCommand } from './api/webhooks.ts';
import { completionCommand } from './completion.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { engineCommand } from './engine.ts';
import { initCommand } from './init.ts';
import { keysCommand } from './keys.ts';
import { logsCommand } from './logs.ts';
import { queryCommand } from './query.ts';
import { reloadCommand, restartCommand } from './renew.ts';
import { startCommand } from './start.ts';
import { statusCommand } from './status.ts';
import { stopCommand } from './stop.ts';

const exitCodeUsage = 2;

/** Runs one command line. @returns the exit code: 0, 1 for a failure, 2 for a mistake in the command itself. */
export async function runCommand(
  argv: readonly string[],
  context: CommandContext,
): Promise<number> {
  let exitCode = 0;
  const program = programOf(context, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    // Commander has printed its own message by now.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodeUsage;
    writeLine(context.stderr, `hati: ${redactSecrets(describe(error))}`);
    return error instanceof CommandError ? error.exitCode : 1;
  }
}

/** The tree of all commands. */
export function programOf(
  context: CommandContext,
  setExitCode: (code: number) => void = () => undefined,
): Command {
  const program = new Command('hati')
    .description('HatiData: keys, scopes and refusals in front of a real PostgreSQL')
    .version(packageVersion(), '-V, --version')
    .addHelpText(
      'after',
      `
Examples:
  hati init                     a project here, its proxy on localhost:5439
  hati query "SELECT 1"         as the local administrator
  hati keys create my-agent --scope readonly
  hati login                    to the control plane, for orgs, envs, users and webhooks

Commands find the nearest .hati directory, walking up from the current one.`,
    );
  const commands = [
    initCommand(context),
    startCommand(context),
    stopCommand(context),
    restartCommand(context),
    reloadCommand(context),
    statusCommand(context, setExitCode),
    queryCommand(context),
    keysCommand(context),
    logsCommand(context),
    engineCommand(context),
    adminCommand(context),
    loginCommand(context),
    logoutCommand(context),
    whoamiCommand(context),
    orgsCommand(context),
    ssoCommand(context),
    envsCommand(context),
    usersCommand(context),
    webhooksCommand(context),
    completionCommand(context, program),
  ];
  for (const command of commands) program.addCommand(command);
  for (const command of [program, ...commands, ...commands.flatMap((group) => group.commands)]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    });
  }
  return program;
}

/** What went wrong in a form that says what to do; the whole error is in the proxy's log where there is one. */
function describe(error: unknown): string {
  if (error instanceof DatabaseError || error instanceof HatiError) {
    const hint = error.hint === undefined ? '' : `\n  ${error.hint}`;
    return `${error.message}${hint}`;
  }
  if (error instanceof AggregateError) return error.errors.map(describe).join('; ');
  return error instanceof Error ? error.message : String(error);
}
