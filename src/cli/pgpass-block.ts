import type { Config } from '../config.ts';
import type { Logger } from '../shared/log.ts';
import type { CommandContext } from './context.ts';
import { addPgpassBlock, pgpassPath, removePgpassBlock } from './pgpass.ts';
import type { Project } from './project.ts';

export interface PgpassBlockParts {
  readonly context: CommandContext;
  readonly project: Project;
  readonly port: number;
  readonly log: Logger;
}

/** What a running proxy keeps in the user's password file. A convenience: it must not keep the proxy from running. */
export class PgpassBlock {
  private readonly parts: PgpassBlockParts;
  private readonly path: string;
  private isThere = false;

  constructor(parts: PgpassBlockParts) {
    this.parts = parts;
    this.path = pgpassPath(parts.context.env, parts.context.home);
  }

  /** There in dev mode, unless the user does not want it. */
  keep({ devMode, pgpass }: Pick<Config, 'devMode' | 'pgpass'>): void {
    const { project, port } = this.parts;
    if (!devMode || !pgpass) {
      this.remove();
    } else if (!this.isThere) {
      this.change(() => addPgpassBlock(this.path, project.directory, port));
      this.isThere = true;
    }
  }

  remove(): void {
    if (!this.isThere) return;
    this.change(() => removePgpassBlock(this.path, this.parts.project.directory));
    this.isThere = false;
  }

  private change(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.parts.log.warn(
        { err: error, path: this.path },
        'the password file could not be changed; psql will ask for a password',
      );
    }
  }
}
