/** What the bench needs from the system's packages, and which package has it. */
import { spawnSync } from 'node:child_process';

interface Program {
  readonly path: string;
  /** The first two numbers of its version: 1.24 is [1, 24]. */
  readonly version: readonly [major: number, minor: number];
}

/** Debian keeps servers where only root looks. */
export const searchPath = `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/local/sbin`;

export function findProgram(path: string): Program | undefined {
  const { status, stdout } = spawnSync(path, ['--version'], {
    encoding: 'utf8',
    env: { PATH: searchPath, LC_ALL: 'C' },
  });
  if (status !== 0) return undefined;
  const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout) ?? [];
  return { path, version: [Number(major), Number(minor)] };
}

export function missing(name: 'pgbench' | 'psql' | 'pgbouncer' | 'bun'): string {
  const packages = {
    pgbench: 'postgresql (Debian, Ubuntu), postgresql-contrib (Fedora), postgresql (Homebrew)',
    psql: 'postgresql-client (Debian, Ubuntu), postgresql (Fedora, Homebrew)',
    pgbouncer: 'pgbouncer',
    bun: "npm's bun",
  };
  return `${name} is not installed; the package is ${packages[name]}`;
}
