import type { PostgresPool, PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { HatiError } from '../errors.ts';

/**
 * What keeps us from the store becomes `store_unreachable` here, where the driver alone speaks: it tells of a lost connection by a plain
 * Error, as anybody's mistake could be elsewhere. What the store refuses, and our own mistakes, stay what they are.
 *
 * A connection on which something was not answered in time (`query_timeout` of the pool) is asked nothing more and is not used again: the
 * other side may be gone without a word.
 */
export function storePool(pool: pg.Pool): PostgresPool {
  return {
    options: pool.options,
    connect: async () => {
      const client = await pool.connect().catch((cause: unknown) => {
        throw unreachable(cause);
      });
      let broken: HatiError | undefined;
      const query = async (text: string, values: readonly unknown[]) => {
        if (broken !== undefined) throw broken;
        try {
          return await client.query(text, [...values]);
        } catch (error) {
          if (error instanceof pg.DatabaseError) throw isAway(error) ? unreachable(error) : error;
          // Subclasses are our own mistakes.
          if (!(error instanceof Error) || error.constructor !== Error) throw error;
          broken = unreachable(error);
          throw broken;
        }
      };
      const release = (destroy = false): void => client.release(destroy || broken !== undefined);
      // Without cursors, which nobody uses.
      return { query, release } as unknown as PostgresPoolClient;
    },
    end: () => pool.end(),
  };
}

function unreachable(cause: unknown): HatiError {
  return new HatiError('store_unreachable', { cause });
}

function isAway({ code = '' }: pg.DatabaseError): boolean {
  return awayClasses.has(code.slice(0, 2)) || code === readOnly;
}

/** Connection exceptions, insufficient resources, operator intervention, system errors. */
const awayClasses: ReadonlySet<string> = new Set(['08', '53', '57', '58']);
/** It has become another one's standby. */
const readOnly = '25006';
