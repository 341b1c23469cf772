import { Command } from 'commander';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { findProject } from './project.ts';
import { isRunning, readRunRecord } from './run-file.ts';
import type { RunRecord } from './run-file.ts';

/** Beyond the time that open transactions get. */
const stopDeadlineMs = 30_000;

export function stopCommand(context: CommandContext): Command {
  return new Command('stop')
    .description("stop this project's proxy and wait until it has ended")
    .option('--force', 'end it at once (SIGKILL), cutting off what its clients are doing')
    .action(async ({ force }: { force?: true }) => {
      const project = findProject(context);
      const record = readRunRecord(project.runPath);
      if (record === undefined) {
        writeLine(context.stdout, `The proxy of ${project.root} is not running.`);
        return;
      }
      // What it started with: the file may be another one by now, or broken.
      const { drainSeconds = 0 } = record;
      await end(record, force === true, stopDeadlineMs + drainSeconds * 1_000);
      writeLine(
        context.stdout,
        `The proxy of ${project.root} (process ${record.pid}) has stopped.`,
      );
    });
}

async function end(record: RunRecord, isForced: boolean, patienceMs: number): Promise<void> {
  signal(record.pid, isForced ? 'SIGKILL' : 'SIGTERM');
  const deadline = Date.now() + patienceMs;
  while (isRunning(record)) {
    if (Date.now() > deadline) {
      throw new CommandError(
        `Process ${record.pid} has not ended within ${patienceMs / 1000} seconds; ` +
          '`hati stop --force` ends it at once, cutting off what its clients are doing.',
      );
    }
    await sleep(25);
  }
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ESRCH') return;
    throw new CommandError(
      `Process ${pid} belongs to another user; stop the proxy as that user or as root.`,
      { cause: error },
    );
  }
}
