import { Command } from 'commander';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Config } from '../config.ts';
import { integer } from '../config/value.ts';
import { ensureRunning } from './background.ts';
import type { ServingRecord } from './background.ts';
import { connect } from './client.ts';
import { configTemplate } from './config-template.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { describePortOwner, isPortFree } from './port-owner.ts';
import { Progress } from './progress.ts';
import { loadConfig, projectAt } from './project.ts';
import type { Project } from './project.ts';
import { readRunRecord } from './run-file.ts';
import { createSampleTable } from './sample-table.ts';

interface InitOptions {
  readonly empty?: true;
  readonly port?: string;
}

export function initCommand(context: CommandContext): Command {
  return new Command('init')
    .description('make a project here (or in a directory) and leave its proxy running')
    .argument('[directory]', 'where', '.')
    .option('--empty', 'without the sample table products')
    .option('--port <number>', 'the port of the proxy (default: 5439)')
    .addHelpText(
      'after',
      `
Examples:
  hati init
  hati init my-project --port 5440

Run again, it changes nothing and makes sure that the proxy runs.`,
    )
    .action(async (directory: string, options: InitOptions) => {
      const progress = new Progress(context.stderr);
      try {
        const record = await init(context, resolve(context.cwd, directory), options, progress);
        progress.done();
        writeLine(context.stdout, 'HatiData initialized successfully.');
        writeLine(context.stdout, `Proxy running on ${record.address.host}:${record.address.port}`);
      } finally {
        progress.done();
      }
    });
}

async function init(
  context: CommandContext,
  root: string,
  options: InitOptions,
  progress: Progress,
): Promise<ServingRecord> {
  const project = projectAt(root);
  const port = readPort(options.port);
  // There from the first step to the last, so that a run that was cut short is finished by the next.
  const samplePending = join(project.directory, 'sample-pending');
  const isNew = !existsSync(project.configPath);
  if (isNew) {
    progress.step(`Creating ${project.directory}`);
    await checkPort(context, project, { host: 'localhost', port: port ?? 5439 }, isNew);
    createDirectory(project, port ?? 5439, options.empty === true ? undefined : samplePending);
  }
  const { config } = loadConfig(project, context, isNew ? {} : { '--port': options.port });
  const running = readRunRecord(project.runPath);
  checkRunningPort(running?.address?.port, port, project);
  if (running === undefined) await checkPort(context, project, config.listen, false);
  progress.step(running === undefined ? 'Starting the proxy' : 'Checking that the proxy answers');
  const record = await ensureRunning(
    context,
    project,
    config,
    isNew || options.port === undefined ? [] : ['--port', options.port],
  );
  if (existsSync(samplePending)) {
    progress.step('Creating the sample table products');
    await fillSample(context, project, config);
    rmSync(samplePending, { force: true });
  }
  return record;
}

function readPort(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const kind = integer(0, 65_535);
  const port = kind.read(text);
  if (port === undefined) {
    throw new CommandError(`--port: "${text}" is not ${kind.expected}.`, { exitCode: 2 });
  }
  return port;
}

function createDirectory(project: Project, port: number, samplePending: string | undefined): void {
  mkdirSync(project.root, { recursive: true });
  mkdirSync(project.directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(project.directory, '.gitignore'), '*\n');
  if (samplePending !== undefined) writeFileSync(samplePending, '', { mode: 0o600 });
  try {
    writeFileSync(project.configPath, configTemplate(port), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    // Another `hati init` of this directory was faster; its file is as good.
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

/** Said before anything is started or written, since the way out is another port. */
async function checkPort(
  context: CommandContext,
  project: Project,
  { host, port }: Config['listen'],
  isNew: boolean,
): Promise<void> {
  if (port === 0 || readRunRecord(project.runPath) !== undefined) return;
  if (context.env['HATIDATA_LISTEN_ADDR'] && isNew) return;
  if (await isPortFree(host, port)) return;
  const owner =
    describePortOwner(port) ?? 'another program (perhaps a HatiData proxy of another project)';
  throw new CommandError(
    `Port ${port} is in use by ${owner}; end that, or choose another port: hati init --port ${port + 1}`,
  );
}

function checkRunningPort(
  running: number | undefined,
  wanted: number | undefined,
  { root }: Project,
): void {
  if (running === undefined || wanted === undefined || wanted === 0 || wanted === running) return;
  throw new CommandError(
    `The proxy of ${root} runs on port ${running} already; \`hati stop\` it first to move it to ${wanted}.`,
  );
}

async function fillSample(
  context: CommandContext,
  project: Project,
  config: Config,
): Promise<void> {
  const client = await connect(context, project, config, undefined);
  try {
    await createSampleTable(client);
  } finally {
    await client.end();
  }
}
