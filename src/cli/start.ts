import { Command } from 'commander';
import { once } from 'node:events';
import { dirname } from 'node:path';
import type { Config, ResolvedConfig } from '../config.ts';
import { createLogger } from '../shared/log.ts';
import type { Logger } from '../shared/log.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { openControlChannel } from './control-channel.ts';
import type { ControlChannel } from './control-channel.ts';
import { prettyDestination } from './log-format.ts';
import { describePortOwner } from './port-owner.ts';
import { PgpassBlock } from './pgpass-block.ts';
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
  const flags = {
    '--engine': options.engine,
    '--engine-reader': options.engineReader,
    '--port': options.port,
    '--listen': options.listen,
  };
  const readConfig = (): ResolvedConfig => loadConfig(project, context, flags, true);
  const resolved = readConfig();
  const { config, warnings } = resolved;
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
  const stopRequested = nextOf(stopSignals(context));
  try {
    await serveUntil(stopRequested, { context, project, resolved, readConfig, log });
  } catch (error) {
    const told = explainListenFault(error, config);
    log.fatal({ err: told }, 'the proxy ended with an error');
    throw told;
  } finally {
    releaseRunFile(project.runPath);
  }
}

/** On a terminal, SIGHUP means that it was closed; elsewhere it is how daemons are told to reload. */
function stopSignals({ stdout, stderr }: CommandContext): readonly NodeJS.Signals[] {
  const hasTerminal = stdout.isTTY === true || stderr.isTTY === true;
  return hasTerminal ? ['SIGTERM', 'SIGINT', 'SIGHUP'] : ['SIGTERM', 'SIGINT'];
}

function renewSignals(context: CommandContext): readonly NodeJS.Signals[] {
  return stopSignals(context).includes('SIGHUP') ? ['SIGUSR2'] : ['SIGHUP', 'SIGUSR2'];
}

async function nextOf(signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return Promise.race(signals.map((signal) => once(process, signal).then(() => signal)));
}

interface Serving {
  readonly context: CommandContext;
  readonly project: Project;
  readonly resolved: ResolvedConfig;
  readonly readConfig: () => ResolvedConfig;
  readonly log: Logger;
}

async function serveUntil(
  stopRequested: Promise<NodeJS.Signals>,
  { context, project, resolved, readConfig, log }: Serving,
): Promise<void> {
  const progress = new Progress(context.stderr);
  const supervisor = Promise.withResolvers<Supervisor>();
  // What becomes of it stands in the log.
  const renew = (): void =>
    void supervisor.promise.then((each) => each.renew()).catch(() => undefined);
  for (const signal of renewSignals(context)) process.on(signal, renew);
  // Loaded here and not above: the engine behind it would slow every other command down.
  const { Supervisor } = await import('../supervisor/supervisor.ts');
  let onRenewed: (config: Config) => void = () => undefined;
  const proxy = new Supervisor(resolved, {
    entry: context.workerEntry,
    readConfig,
    log,
    // A terminal shows what is happening; a log gets it as one of its lines.
    onProgress: (message) =>
      context.stderr.isTTY === true ? progress.step(message) : log.info(message),
    onRenewed: (config) => onRenewed(config),
  });
  supervisor.resolve(proxy);
  await proxy.start(resolved);
  progress.done();
  let { config } = resolved;
  const port = proxy.addresses[0]?.port ?? config.listen.port;
  const address = { host: config.listen.host, port };
  const pgpass = new PgpassBlock({ context, project, port, log });
  let control: ControlChannel | undefined;
  let patienceMs = 0;
  try {
    control = await openControlChannel(dirname(project.runPath), () => proxy.renew());
    const publish = (): void => {
      // The first of them: of `localhost` it is the one that every machine has.
      const metrics = proxy.metricsAddresses?.[0];
      const [api] = proxy.apiAddresses;
      publishRunRecord(project.runPath, {
        address,
        control: control!.path,
        drainSeconds: config.limits.drainSeconds,
        ...(proxy.dataDirectory === undefined ? {} : { dataDirectory: proxy.dataDirectory }),
        ...(metrics === undefined ? {} : { metrics }),
        ...(api === undefined ? {} : { api: { ...api, hasTls: config.tls !== undefined } }),
      });
    };
    onRenewed = (next) => {
      config = next;
      pgpass.keep(config);
      publish();
    };
    onRenewed(config);
    if (context.stdout.isTTY === true) {
      writeLine(context.stderr, `Proxy running on ${address.host}:${port}. Ctrl-C stops it.`);
    }
    const hasStopped = await Promise.race([stopRequested, proxy.stopped.then(() => 'by itself')]);
    if (hasStopped === 'SIGTERM') patienceMs = config.limits.drainSeconds * 1_000;
    if (hasStopped === 'by itself')
      throw new CommandError('The proxy stopped by itself; the log says why.');
  } finally {
    onRenewed = () => undefined;
    control?.close();
    pgpass.remove();
    // Who asks twice, or from the keyboard, does not want to wait.
    void nextOf(['SIGTERM', 'SIGINT']).then(() => proxy.stop(0));
    await proxy.stop(patienceMs);
    for (const signal of renewSignals(context)) process.off(signal, renew);
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
