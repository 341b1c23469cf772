import { Command } from 'commander';
import { once } from 'node:events';
import type { Config } from '../config.ts';
import { createLogger } from '../shared/log.ts';
import type { Logger } from '../shared/log.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { prettyDestination } from './log-format.ts';
import { describePortOwner } from './port-owner.ts';
import { addPgpassBlock, pgpassPath, removePgpassBlock } from './pgpass.ts';
import { Progress } from './progress.ts';
import { findProject, loadConfig } from './project.ts';
import type { Project } from './project.ts';
import { claimRunFile, publishRunRecord, releaseRunFile } from './run-file.ts';

interface StartOptions {
  readonly engine?: string;
  readonly engineReader?: string;
  readonly port?: string;
  readonly listen?: string;
}

export function startCommand(context: CommandContext): Command {
  return new Command('start')
    .description('run the proxy in the foreground until it is told to stop')
    .option('--engine <url>', 'use this PostgreSQL in place of the embedded one')
    .option('--engine-reader <url>', 'where readonly keys read; beside --engine')
    .option('--port <number>', 'listen on this port')
    .option('--listen <host:port>', 'listen on this address')
    .addHelpText(
      'after',
      `
Examples:
  hati start
  hati start --port 5440
  hati start --engine postgres://hatidata_writer@db.internal/app`,
    )
    .action(async (options: StartOptions) => {
      await start(context, options);
    });
}

async function start(context: CommandContext, options: StartOptions): Promise<void> {
  const project = findProject(context);
  const { config, warnings } = loadConfig(project, context, {
    '--engine': options.engine,
    '--engine-reader': options.engineReader,
    '--port': options.port,
    '--listen': options.listen,
  });
  const log = createLogger({
    level: config.log.level,
    ...(config.log.pretty ? { destination: prettyDestination(context.stdout) } : {}),
  });
  for (const warning of warnings) log.warn(warning);
  const other = claimRunFile(project.runPath);
  if (other !== undefined) {
    const where = other.address === undefined ? 'is starting' : `serves port ${other.address.port}`;
    throw new CommandError(
      `A proxy of ${project.root} ${where} already (process ${other.pid}); end it with \`hati stop\`.`,
    );
  }
  // Listening from here on, so that a signal during the start is not lost.
  const stopRequested = Promise.race(
    ['SIGTERM', 'SIGINT', 'SIGHUP'].map((signal) => once(process, signal).then(() => signal)),
  );
  try {
    await serveUntil(stopRequested, { context, project, config, log });
  } catch (error) {
    const told = explainListenFault(error, config);
    log.fatal({ err: told }, 'the proxy ended with an error');
    throw told;
  } finally {
    releaseRunFile(project.runPath);
  }
}

interface Serving {
  readonly context: CommandContext;
  readonly project: Project;
  readonly config: Config;
  readonly log: Logger;
}

async function serveUntil(
  stopRequested: Promise<string>,
  { context, project, config, log }: Serving,
): Promise<void> {
  const progress = new Progress(context.stderr);
  // Loaded here and not above: the parser and the engine behind it would slow every other command down.
  const { serve } = await import('../serve.ts');
  const proxy = await serve(config, {
    log,
    // A terminal shows what is happening; a log gets it as one of its lines.
    onProgress: (message) =>
      context.stderr.isTTY === true ? progress.step(message) : log.info(message),
  });
  progress.done();
  let patienceMs = 0;
  try {
    const port = proxy.addresses[0]?.port ?? config.listen.port;
    const address = { host: config.listen.host, port };
    // The first of them: of `localhost` it is the one that every machine has.
    const metricsAddress = proxy.metricsAddresses?.[0];
    const pgpass =
      config.devMode && config.pgpass ? pgpassPath(context.env, context.home) : undefined;
    if (pgpass !== undefined)
      changePgpass(log, pgpass, () => addPgpassBlock(pgpass, project.directory, port));
    publishRunRecord(project.runPath, {
      address,
      ...(proxy.dataDirectory === undefined ? {} : { dataDirectory: proxy.dataDirectory }),
      ...(metricsAddress === undefined ? {} : { metrics: metricsAddress }),
    });
    if (context.stdout.isTTY === true) {
      writeLine(context.stderr, `Proxy running on ${address.host}:${port}. Ctrl-C stops it.`);
    }
    const hasStopped = await Promise.race([stopRequested, proxy.stopped.then(() => 'by itself')]);
    if (pgpass !== undefined)
      changePgpass(log, pgpass, () => removePgpassBlock(pgpass, project.directory));
    if (hasStopped === 'SIGTERM') patienceMs = config.limits.drainSeconds * 1_000;
    if (hasStopped === 'by itself')
      throw new CommandError('The proxy stopped by itself; the log says why.');
  } finally {
    // Who asks twice, or from the keyboard, does not want to wait.
    const urged = Promise.race(['SIGTERM', 'SIGINT'].map((signal) => once(process, signal)));
    void urged.then(() => proxy.stop(0));
    await proxy.stop(patienceMs);
  }
}

/** What the operating system says of an address, as something to do. */
function explainListenFault(error: unknown, { listen: { host, port } }: Config): unknown {
  if (!(error instanceof Error && 'syscall' in error && error.syscall === 'listen')) return error;
  const code = 'code' in error ? error.code : undefined;
  const other = 'choose another with --port, HATIDATA_LISTEN_ADDR or proxy.listen';
  if (code === 'EADDRINUSE') {
    const owner = describePortOwner(port) ?? 'another program';
    return new CommandError(`Port ${port} is in use by ${owner}; end that, or ${other}.`, {
      cause: error,
    });
  }
  if (code === 'EACCES') {
    return new CommandError(`This user may not listen on port ${port}; ${other}.`, {
      cause: error,
    });
  }
  if (code === 'EADDRNOTAVAIL') {
    return new CommandError(`"${host}" is not an address of this machine; ${other}.`, {
      cause: error,
    });
  }
  return error;
}

/** A convenience must not keep the proxy from running. */
function changePgpass(log: Logger, path: string, change: () => void): void {
  try {
    change();
  } catch (error) {
    log.warn(
      { err: error, path },
      'the password file could not be changed; psql will ask for a password',
    );
  }
}
