import { homedir } from 'node:os';
import { extname, join } from 'node:path';
import { runCommand } from './cli/program.ts';

// A reader that has seen enough (`hati query … | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  // The terminal was closed: SIGHUP ends what has to end, in good order.
  if (error.code !== 'EIO') throw error;
});
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EIO') throw error;
});

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  cwd: process.cwd(),
  home: homedir(),
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  workerEntry: join(import.meta.dirname, `worker${extname(import.meta.filename)}`),
  self: { execPath: process.execPath, args: [...process.execArgv, import.meta.filename] },
});
