import { Command } from 'commander';
import { ConfigError } from '../config.ts';
import type { Config } from '../config.ts';
import { connect, httpUrl, reachableHost } from './client.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { MetricsSample } from './metrics-sample.ts';
import {
  readMetrics,
  readReadiness,
  type MetricsAddress,
  type Readiness,
} from './monitoring-client.ts';
import { describePool, poolsOf, type PoolStatus } from './pools.ts';
import { answers } from './probe.ts';
import { findProject, loadConfig } from './project.ts';
import type { Project } from './project.ts';
import { readRunRecord } from './run-file.ts';
import { watch } from './watch.ts';

const exitCodeNotRunning = 3;

interface Status {
  readonly running: boolean;
  readonly answering: boolean;
  readonly pid: number | null;
  readonly address: string | null;
  readonly uptime_seconds: number | null;
  /** null: nobody could be asked. */
  readonly ready: boolean | null;
  /** What is missing to be ready. */
  readonly missing: Readiness['missing'];
  /** Where metrics, health and readiness are told. */
  readonly metrics: string | null;
  /** Where the control plane answers. */
  readonly api: string | null;
  /** null: the configuration does not say. */
  readonly engine: string | null;
  /** What is wrong with the configuration; a proxy that runs goes on with the one that it has. */
  readonly faults: readonly string[];
  /** null: nobody could be asked. */
  readonly pools: readonly PoolStatus[] | null;
  /** null: it takes an admin key to count them, and none was given; or the proxy is not ready. */
  readonly keys: number | null;
  readonly directory: string;
  readonly data: string | null;
  readonly log: string;
}

export function statusCommand(
  context: CommandContext,
  setExitCode: (code: number) => void,
): Command {
  return new Command('status')
    .description(
      "tell whether this project's proxy runs, and where everything is (exit code 3: it does not)",
    )
    .option('--json', 'as JSON')
    .option('--key <key>', 'an admin API key (better: HATIDATA_API_KEY)')
    .option('--watch', 'a line of numbers each second, until Ctrl-C')
    .action(async ({ json, key, watch: isWatching }: StatusOptions) => {
      const project = findProject(context);
      if (isWatching === true) {
        if (json === true) throw new CommandError('--watch writes lines; leave --json out.');
        await watch(context, project);
        return;
      }
      const config = configOrFaults(project, context);
      const status = await readStatus(
        context,
        project,
        config,
        key ?? (context.env['HATIDATA_API_KEY'] || undefined),
      );
      writeLine(
        context.stdout,
        json === true ? JSON.stringify(status, null, 2) : renderStatus(status, config),
      );
      if (!status.answering) setExitCode(exitCodeNotRunning);
    });
}

interface StatusOptions {
  readonly json?: true;
  readonly key?: string;
  readonly watch?: true;
}

function configOrFaults(project: Project, context: CommandContext): Config | readonly string[] {
  try {
    return loadConfig(project, context).config;
  } catch (error) {
    const isRunning = readRunRecord(project.runPath) !== undefined;
    if (error instanceof ConfigError && isRunning) return error.faults;
    throw error;
  }
}

async function readStatus(
  context: CommandContext,
  project: Project,
  read: Config | readonly string[],
  key: string | undefined,
): Promise<Status> {
  const [config, faults] = 'directory' in read ? [read, []] : [undefined, read];
  const record = readRunRecord(project.runPath);
  const address = record?.address;
  const isAnswering =
    address !== undefined && (await answers(reachableHost(address.host), address.port));
  const metrics = record?.metrics;
  const readiness = metrics === undefined ? undefined : await readReadiness(metrics);
  return {
    running: record !== undefined,
    answering: isAnswering,
    pid: record?.pid ?? null,
    address: address === undefined ? null : `${address.host}:${address.port}`,
    uptime_seconds:
      record === undefined
        ? null
        : Math.max(0, Math.round((Date.now() - Date.parse(record.startedAt)) / 1000)),
    ready: readiness?.ready ?? null,
    missing: readiness?.missing ?? [],
    metrics: metrics === undefined ? null : `${httpUrl(metrics)}/metrics`,
    api: record?.api === undefined ? null : httpUrl(record.api),
    engine: config === undefined ? null : describeEngine(config),
    faults,
    pools: metrics === undefined ? null : await readPools(metrics),
    keys:
      config !== undefined &&
      isAnswering &&
      readiness?.ready !== false &&
      (key !== undefined || config.devMode)
        ? await countKeys(context, project, config, key)
        : null,
    directory: project.directory,
    data: record?.dataDirectory ?? null,
    log: project.logPath,
  };
}

async function readPools(metrics: MetricsAddress): Promise<readonly PoolStatus[] | null> {
  const text = await readMetrics(metrics);
  return text === undefined ? null : poolsOf(new MetricsSample(text, 0));
}

/** Host and database only: the rest of the URL is nobody's business. */
function describeEngine({ engine }: Config): string {
  if (engine.kind === 'embedded') return 'embedded PostgreSQL';
  const { host, pathname } = new URL(engine.url);
  return `PostgreSQL at ${host}${pathname}`;
}

async function countKeys(
  context: CommandContext,
  project: Project,
  config: Config,
  key: string | undefined,
): Promise<number> {
  const client = await connect(context, project, config, key);
  try {
    const { rows } = await client.query<{ keys: string }>(
      'SELECT count(*) AS keys FROM _hatidata_keys.active_keys',
    );
    return Number(rows[0]?.keys);
  } finally {
    await client.end();
  }
}

function renderStatus(status: Status, config: Config | readonly string[]): string {
  const isMissing = status.answering && 'directory' in config && config.metrics !== undefined;
  const state = status.answering
    ? `running (process ${status.pid}, for ${duration(status.uptime_seconds ?? 0)})`
    : status.running
      ? `process ${status.pid} is there but does not answer${status.address === null ? ' yet' : ''}`
      : 'not running; start it with `hati init` or `hati start`';
  const lines: (readonly [string, string | null])[] = [
    ['Proxy', state],
    ['Ready', status.ready === null ? null : describeReadiness(status)],
    ['Address', status.address],
    ['Metrics', status.metrics ?? (isMissing ? 'not served; the log says why' : null)],
    ['API', status.api],
    ['Engine', status.engine],
    ...(status.pools ?? []).map(
      (pool, at) => [at === 0 ? 'Pools' : '', describePool(pool)] as const,
    ),
    ['Keys', status.keys === null ? null : `${status.keys} active`],
    ...status.faults.map((fault) => ['Fault', fault] as const),
    ['Directory', status.directory],
    ['Data', status.data],
    ['Log', status.log],
  ];
  return lines
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name.padEnd(10)} ${value}`)
    .join('\n');
}

function describeReadiness({ ready, missing }: Status): string {
  if (ready === true) return 'yes';
  return `no: ${missing.map(({ part, reason }) => `${part}: ${reason}`).join('; ')}`;
}

function duration(seconds: number): string {
  const days = Math.floor(seconds / 86_400);
  const parts: [number, string][] = [
    [days, 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first === -1 ? 3 : first)
    .slice(0, 2)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}
