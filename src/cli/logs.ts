import { Command } from 'commander';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { integer } from '../config/value.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { lastLines, readFrom, sizeOf } from './log-file.ts';
import { formatLogLine } from './log-format.ts';
import { findProject } from './project.ts';

interface LogsOptions {
  readonly follow?: true;
  readonly lines: string;
  readonly json?: true;
}

export function logsCommand(context: CommandContext): Command {
  return new Command('logs')
    .description("the log of this project's proxy, when it runs in the background")
    .option('-f, --follow', 'go on with what is added, until Ctrl-C')
    .option('-n, --lines <number>', 'how many of the last lines', '50')
    .option('--json', 'the records as they are')
    .action(async ({ follow, lines, json }: LogsOptions) => {
      const { logPath } = findProject(context);
      const count = integer(0, 1_000_000).read(lines);
      if (count === undefined) {
        throw new CommandError(`-n: "${lines}" is not a number of lines.`, { exitCode: 2 });
      }
      if (!existsSync(logPath)) {
        throw new CommandError(
          `${logPath} is not there: no proxy has run in the background yet (\`hati init\`).`,
        );
      }
      const format = json === true ? (line: string) => line : formatLogLine;
      const end = sizeOf(logPath);
      for (const line of lastLines(logPath, count)) writeLine(context.stdout, format(line));
      if (follow === true)
        await followLog(logPath, end, (line) => writeLine(context.stdout, format(line)));
    });
}

/** Ends with the process. Whole lines only: the rest of a line that is being written waits for its end. */
async function followLog(
  path: string,
  from: number,
  print: (line: string) => void,
): Promise<never> {
  let offset = from;
  let rest = '';
  for (;;) {
    const size = sizeOf(path);
    // Shorter than what we have read: another file has taken its place.
    if (size < offset) offset = 0;
    if (size > offset) {
      const added = await readFrom(path, offset);
      offset += Buffer.byteLength(added);
      const lines = (rest + added).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) print(line);
    }
    await sleep(200);
  }
}
