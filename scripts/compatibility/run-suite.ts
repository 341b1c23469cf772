/** Builds and runs one suite. A suite that hangs is ended, and what it had reported until then counts. */
import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { readReport, type Report } from './report.ts';
import type { Command, Places, Suite } from './suites.ts';

export interface SuiteRun {
  readonly reports: readonly Report[];
  /** Why the run fails besides its reports, each with what the program said. */
  readonly failures: readonly string[];
}

const prepareSeconds = 600;
const runSeconds = 180;

export async function runSuite(
  suite: Suite,
  places: Places,
  urls: Readonly<{ direct: string; proxy: string }>,
): Promise<SuiteRun> {
  for (const command of suite.prepare(places)) {
    const { problem, said } = await runProgram(command, process.env, prepareSeconds);
    if (problem !== undefined) {
      const what = [command.program, ...command.args].join(' ');
      return { reports: [], failures: [`${suite.name}: ${what}: ${problem}\n${said}`] };
    }
  }
  const home = join(places.work, 'home');
  mkdirSync(home, { recursive: true });
  const environment = {
    PATH: process.env['PATH'],
    LC_ALL: 'C.UTF-8',
    TZ: 'UTC',
    HOME: home,
    // Nothing is left in the clone.
    PYTHONPYCACHEPREFIX: join(places.work, 'pycache'),
    HATI_MATRIX_WORK: places.work,
    HATI_MATRIX_DIRECT: urls.direct,
    HATI_MATRIX_PROXY: urls.proxy,
  };
  const { problem, said, lines } = await runProgram(suite.run(places), environment, runSeconds);
  const reports: Report[] = [];
  const failures: string[] = [];
  for (const line of lines) {
    try {
      reports.push(readReport(line));
    } catch (error) {
      failures.push(`${suite.name}: ${String(error)}`);
    }
  }
  const last = reports.at(-1);
  const where = last === undefined ? 'nothing' : `${last.driver}, ${last.feature}, ${last.target}`;
  if (problem !== undefined) {
    failures.push(`${suite.name}: ${problem}; reported last: ${where}\n${said}`);
  }
  return { reports, failures };
}

interface Finished {
  readonly problem: string | undefined;
  readonly lines: readonly string[];
  /** The end of what it wrote to both outputs. */
  readonly said: string;
}

function runProgram(
  { program, args, directory }: Command,
  env: NodeJS.ProcessEnv,
  seconds: number,
): Promise<Finished> {
  return new Promise((resolve) => {
    // A group of its own, so that a build or a tool that it started ends with it.
    const child = spawn(program, args, {
      cwd: directory,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const endGroup = (): void => {
      try {
        process.kill(-child.pid!, 'SIGKILL');
      } catch {
        // It has ended already.
      }
    };
    process.once('exit', endGroup);
    let stdout = '';
    let stderr = '';
    let isLate = false;
    const deadline = setTimeout(() => {
      isLate = true;
      endGroup();
    }, seconds * 1000);
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (stderr += chunk));
    const finish = (problem: string | undefined): void => {
      clearTimeout(deadline);
      process.off('exit', endGroup);
      const lines = stdout.split('\n').filter((line) => line !== '');
      const said = [...lines.filter((line) => !line.startsWith('{')), stderr.slice(-4000)];
      resolve({ problem, lines, said: said.join('\n').trimEnd() });
    };
    child.once('error', (error) => finish(error.message));
    child.once('close', (code, signal) => {
      if (isLate) finish(`did not end within ${seconds} s`);
      else finish(code === 0 ? undefined : `ended with ${signal ?? code}`);
    });
  });
}
