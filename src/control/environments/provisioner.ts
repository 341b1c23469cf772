import type { Kysely } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import type { Logger } from '../../shared/log.ts';
import { tellChanged } from './store.ts';

export interface ProvisionerParts {
  readonly db: Kysely<ControlSchema>;
  /** Makes the database of an environment, or puts right what is there. */
  readonly provision: (environment: string) => Promise<void>;
  readonly log: Logger;
}

const retryMs = 5_000;

/**
 * Makes the databases of environments that were created. One is taken at a time, and by one process: its row is locked meanwhile. What
 * was begun by a process that ended is taken again by the next one.
 */
export class Provisioner {
  private readonly parts: ProvisionerParts;
  private running: Promise<void> | undefined;
  private isWanted = false;
  private isStopped = false;
  private timer: NodeJS.Timeout | undefined;

  constructor(parts: ProvisionerParts) {
    this.parts = parts;
  }

  /** Looks whether there is something to do. */
  wake(): void {
    this.isWanted = true;
    if (this.isStopped) return;
    clearTimeout(this.timer);
    this.running ??= this.work().finally(() => {
      this.running = undefined;
      if (this.isWanted) this.wake();
    });
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  private async work(): Promise<void> {
    this.isWanted = false;
    try {
      while (!this.isStopped && (await this.one()));
    } catch (error) {
      this.parts.log.error({ err: error }, 'the database of an environment could not be made yet');
      this.timer = setTimeout(() => this.wake(), retryMs).unref();
    }
  }

  /** @returns whether there was one */
  private one(): Promise<boolean> {
    const { db, provision, log } = this.parts;
    return db.transaction().execute(async (tx) => {
      const row = await tx
        .selectFrom('environments')
        .select('env_id')
        .where('status', '=', 'provisioning')
        .orderBy('created_at')
        .limit(1)
        .forUpdate()
        .skipLocked()
        .executeTakeFirst();
      if (row === undefined) return false;
      const { env_id: environment } = row;
      await provision(environment);
      await tx
        .updateTable('environments')
        .set({ status: 'active' })
        .where('env_id', '=', environment)
        .execute();
      await tellChanged(tx, environment);
      log.info({ environment }, 'the database of an environment is ready');
      return true;
    });
  }
}
