import type pg from 'pg';
import type { Config } from '../config.ts';
import { systemRole } from '../database/system-role.ts';
import type { EmbeddedServer } from '../engine/embedded/server.ts';
import type { EngineLogins } from '../engine/logins.ts';

/** How the parts of a proxy log in. Plain values, so that another process can be told them; they hold passwords. */
export interface Logins {
  readonly writer: pg.ClientConfig;
  /** Absent: as the writer. */
  readonly reader?: pg.ClientConfig;
  /** May end the backends of writer and reader; absent: each role ends its own. */
  readonly terminator?: pg.ClientConfig;
  readonly control: pg.ClientConfig;
  /** For clients' reads of system relations. */
  readonly system: pg.ClientConfig;
  /** What that login has to become; absent: it is the role already. */
  readonly systemRole?: string;
}

export function loginsOf(config: Config, embedded: EmbeddedServer | undefined): Logins {
  const { engine, controlDatabaseUrl } = config;
  const own = (role: Parameters<EmbeddedServer['connection']>[0]): pg.ClientConfig => ({
    ...embedded!.connection(role),
    // Given so that pg does not look for it in the environment.
    ssl: false,
  });
  const control =
    controlDatabaseUrl === undefined ? own('control') : { connectionString: controlDatabaseUrl };
  const store =
    controlDatabaseUrl === undefined
      ? { control, system: own('system') }
      : { control, system: control, systemRole };
  if (engine.kind === 'url') {
    const { url, readerUrl } = engine;
    const writer = { connectionString: url };
    return readerUrl === undefined
      ? { ...store, writer }
      : { ...store, writer, reader: { connectionString: readerUrl } };
  }
  // Of the embedded server, the control login may signal backends.
  return { ...store, writer: own('writer'), reader: own('reader'), terminator: own('control') };
}

export function engineLogins({ writer, reader }: Logins): EngineLogins {
  return { writer, reader: reader ?? writer };
}
