import { Command } from 'commander';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { askToRenew } from './control-channel.ts';
import { findProject } from './project.ts';
import { isRunning, readRunRecord } from './run-file.ts';

export function restartCommand(context: CommandContext): Command {
  return new Command('restart')
    .description('replace the processes that serve clients, without losing a transaction')
    .addHelpText(
      'after',
      `
New processes run the code that is installed now, with the configuration as it is now. They take over when all of
them are ready; the old ones go on with the sessions that they have. If the new ones don't come up, nothing changes.`,
    )
    .action(() => renew(context));
}

export function reloadCommand(context: CommandContext): Command {
  return new Command('reload')
    .description('read the configuration and the TLS certificate again; all of it or nothing')
    .addHelpText(
      'after',
      `
New sessions get the new configuration, sessions that are there keep theirs. Where the proxy listens, and which engine
is embedded, can't change while it runs.`,
    )
    .action(() => renew(context));
}

/** Both are the same to the supervisor: a new generation of workers. */
async function renew(context: CommandContext): Promise<void> {
  const project = findProject(context);
  const record = readRunRecord(project.runPath);
  if (record === undefined) {
    throw new CommandError(
      `The proxy of ${project.root} is not running; start it with \`hati start\`.`,
    );
  }
  if (record.control === undefined) {
    throw new CommandError(
      `The proxy of ${project.root} (process ${record.pid}) is still starting; try again when it serves.`,
    );
  }
  const reply = await askToRenew(record.control);
  if (reply === undefined) {
    throw new CommandError(
      isRunning(record)
        ? `Process ${record.pid} can't be asked at ${record.control}: this user may not, or it is stopping.`
        : `The proxy (process ${record.pid}) has ended; its log says why.`,
    );
  }
  if (!reply.done) throw new CommandError(reply.reason);
  const { generation, workers, seconds, lingering } = reply;
  const who = workers === 1 ? '1 worker serves' : `${workers} workers serve`;
  const left =
    lingering === 0
      ? 'no session was open'
      : `${lingering} ${lingering === 1 ? 'session goes' : 'sessions go'} on with the old ones`;
  writeLine(
    context.stdout,
    `Generation ${generation}: ${who} (after ${seconds.toFixed(1)} s); ${left}.`,
  );
}
