import { Command } from 'commander';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { Config } from '../config.ts';
import { integer } from '../config/value.ts';
import { HatiError } from '../errors.ts';
import { randomCharacters } from '../shared/ids.ts';
import { createLogger } from '../shared/log.ts';
import { ensureRunning } from './background.ts';
import type { ServingRecord } from './background.ts';
import { connect, httpUrl } from './client.ts';
import { configTemplate } from './config-template.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { describePortOwner, isPortFree } from './port-owner.ts';
import { Progress } from './progress.ts';
import { loadConfig, projectAt } from './project.ts';
import type { Project } from './project.ts';
import { readRunRecord } from './run-file.ts';
import { createSampleTable } from './sample-table.ts';

/** Of a project's own organization. */
const localOwner = 'owner@hatidata.local';
/** 124 bits. */
const passwordLength = 24;

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
        tellOwner(context, record, projectAt(resolve(context.cwd, directory)));
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
  const ownerPending = join(project.directory, 'owner-pending');
  const isNew = !existsSync(project.configPath);
  if (isNew) {
    progress.step(`Creating ${project.directory}`);
    await checkPort(context, project, { host: 'localhost', port: port ?? 5439 }, isNew);
    createDirectory(project, port ?? 5439, [
      ownerPending,
      ...(options.empty === true ? [] : [samplePending]),
    ]);
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
  if (existsSync(ownerPending)) {
    progress.step('Creating the owner');
    await makeOwner(config, join(project.directory, 'owner-password'));
    rmSync(ownerPending, { force: true });
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

function createDirectory(project: Project, port: number, pending: readonly string[]): void {
  mkdirSync(project.root, { recursive: true });
  mkdirSync(project.directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(project.directory, '.gitignore'), '*\n');
  for (const path of pending) writeFileSync(path, '', { mode: 0o600 });
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

/** Who logs in to the control plane. The password is there before it counts, so that a run that was cut short leaves no unknown one. */
async function makeOwner(config: Config, passwordPath: string): Promise<void> {
  const made = existsSync(passwordPath) ? undefined : randomCharacters(passwordLength);
  if (made !== undefined) writeFileSync(passwordPath, `${made}\n`, { mode: 0o600, flag: 'wx' });
  const password = readFileSync(passwordPath, 'utf8').trim();
  // Loaded here and not above, for the same reason as in start.ts.
  const { createFirstOwner } = await import('../operator.ts');
  const log = createLogger({ level: 'fatal' });
  try {
    await createFirstOwner(config, { email: localOwner, name: 'Owner', password, log });
  } catch (error) {
    // Another `hati init` was faster, or an operator made one before.
    if (!(error instanceof HatiError && error.code === 'conflict')) throw error;
  }
}

function tellOwner({ stderr }: CommandContext, { api }: ServingRecord, project: Project): void {
  const path = join(project.directory, 'owner-password');
  if (api === undefined || !existsSync(path)) return;
  writeLine(
    stderr,
    `Control plane on ${httpUrl(api)}: ${localOwner}, with the password in ${relative(project.root, path)}`,
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
