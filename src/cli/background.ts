import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { connect, reachableHost } from './client.ts';
import { CommandError } from './context.ts';
import type { CommandContext } from './context.ts';
import { explainingLines, prepareLog } from './log-file.ts';
import { answers } from './probe.ts';
import type { Project } from './project.ts';
import { readRunRecord } from './run-file.ts';
import type { RunRecord } from './run-file.ts';

/** The first start of the embedded engine creates a database cluster; on a slow disk that takes its time. */
const startDeadlineMs = 120_000;

export type ServingRecord = RunRecord & Required<Pick<RunRecord, 'address'>>;

/**
 * Makes sure that this project's proxy runs and accepts connections, starting it detached from us if need be: it lives
 * on when we end, and its output goes to `.hati/logs/proxy.log`.
 */
export async function ensureRunning(
  context: CommandContext,
  project: Project,
  config: Config,
  startFlags: readonly string[],
): Promise<ServingRecord> {
  const logOffset = prepareLog(project.logPath);
  const child =
    readRunRecord(project.runPath) === undefined ? launch(context, project, startFlags) : undefined;
  const deadline = Date.now() + startDeadlineMs;
  while (Date.now() < deadline) {
    // Looked at before the record: what a child that has ended by now wrote, it wrote before.
    const hasEnded = child !== undefined && child.exitCode !== null;
    const record = readRunRecord(project.runPath);
    if (isServing(record)) {
      if (await accepts(context, project, config, record)) return record;
    } else if (record === undefined && (hasEnded || child === undefined)) {
      // With a record, another `hati` was faster than our child, and its proxy is the one to wait for.
      throw new CommandError(explain(project, logOffset));
    }
    await sleep(50);
  }
  child?.kill('SIGTERM');
  throw new CommandError(
    `The proxy did not accept connections within ${startDeadlineMs / 1000} seconds; see ${project.logPath}.`,
  );
}

export function isServing(record: RunRecord | undefined): record is ServingRecord {
  return record?.address !== undefined;
}

function launch(
  context: CommandContext,
  project: Project,
  startFlags: readonly string[],
): ChildProcess {
  const log = openSync(project.logPath, 'a', 0o600);
  try {
    const child = spawn(context.self.execPath, [...context.self.args, 'start', ...startFlags], {
      cwd: project.root,
      detached: true,
      stdio: ['ignore', log, log],
      env: context.env,
    });
    // Without a listener a failed spawn would end this process; the wait below reports it.
    child.on('error', () => {});
    child.unref();
    return child;
  } finally {
    closeSync(log);
  }
}

/** In dev mode a real session; elsewhere nobody has given us a key, so the protocol's first answer has to do. */
async function accepts(
  context: CommandContext,
  project: Project,
  config: Config,
  { address }: ServingRecord,
): Promise<boolean> {
  if (!config.devMode) return await answers(reachableHost(address.host), address.port);
  const client = await connect(context, project, config, undefined);
  await client.end();
  return true;
}

function explain(project: Project, logOffset: number): string {
  const lines = explainingLines(project.logPath, logOffset);
  return [
    `The proxy ended while starting; the log ${project.logPath} says:`,
    ...(lines.length > 0 ? lines : ['(nothing)']),
  ].join('\n  ');
}
