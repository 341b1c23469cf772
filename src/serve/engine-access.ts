import type { Kysely } from 'kysely';
import type { Config } from '../config.ts';
import { findEngine, type FoundEngine } from '../control/environments/store.ts';
import type { ControlSchema } from '../database/schema.ts';
import { environmentLogins } from '../engine/embedded/environments.ts';
import { HatiError } from '../errors.ts';
import type { EnvironmentId } from '../ports.ts';
import { SecretBox } from '../shared/secret-box.ts';
import type { EngineAccess } from './engine-side.ts';
import { engineLogins, type Logins } from './logins.ts';

export interface EngineAccessesParts {
  readonly db: Kysely<ControlSchema>;
  readonly logins: Logins;
  readonly secretKey: string | undefined;
}

/** How the engines of environments are reached, as the control store says, and what holds there. */
export class EngineAccesses {
  private readonly parts: EngineAccessesParts;
  /** As they were given last. */
  private readonly versions = new Map<EnvironmentId, number>();

  constructor(parts: EngineAccessesParts) {
    this.parts = parts;
  }

  /** Throws `environment_unavailable`, `store_unreachable`. */
  async of(
    environment: EnvironmentId,
    { limits, pool }: Pick<Config, 'limits' | 'pool'>,
  ): Promise<Pick<Config, 'limits' | 'pool'> & { access: EngineAccess }> {
    const { db } = this.parts;
    const found = await findEngine(db, environment);
    if (found === undefined) throw unavailable('it is not active');
    this.versions.set(environment, found.version);
    const { queryTimeoutMs, mostQueries, fastLane } = found;
    const most = mostQueries === 0 ? Infinity : mostQueries;
    return {
      access: this.access(found, environment),
      limits: {
        ...limits,
        statementSeconds: shorter(limits.statementSeconds, queryTimeoutMs / 1_000),
      },
      pool: {
        ...pool,
        readers: Math.min(pool.readers, most),
        writers: Math.min(pool.writers, most),
        fastLane: pool.fastLane && fastLane,
      },
    };
  }

  /** Nothing was changed about it since `of`. */
  async isCurrent(environment: EnvironmentId): Promise<boolean> {
    const found = await findEngine(this.parts.db, environment);
    return found?.version === this.versions.get(environment);
  }

  private access(found: FoundEngine, environment: EnvironmentId): EngineAccess {
    switch (found.kind) {
      case 'configured':
        return configured(this.parts.logins);
      case 'embedded':
        return embedded(this.parts.logins, environment);
      case 'url':
        return this.byUrl(found);
    }
  }

  private byUrl({ environment, url, readerUrl }: UrlEngine): EngineAccess {
    const { secretKey } = this.parts;
    if (secretKey === undefined) throw unavailable('this proxy does not have control.secret_key');
    const box = new SecretBox(Buffer.from(secretKey, 'base64'));
    const writer = { connectionString: box.open(url, `engine:${environment}`) };
    if (readerUrl === null) return { writer, reader: writer };
    return {
      writer,
      reader: { connectionString: box.open(readerUrl, `engine-reader:${environment}`) },
    };
  }
}

type UrlEngine = Extract<FoundEngine, { kind: 'url' }>;

function configured(logins: Logins): EngineAccess {
  const { terminator } = logins;
  return { ...engineLogins(logins), ...(terminator && { terminator }) };
}

function embedded({ control, terminator }: Logins, environment: EnvironmentId): EngineAccess {
  if (control.host === undefined)
    throw unavailable('its database is in an embedded server that this proxy does not have');
  return {
    ...environmentLogins(control, environment),
    // The control login of an embedded server may signal backends.
    terminator: terminator ?? control,
  };
}

/** 0 is no limit. */
function shorter(one: number, other: number): number {
  return one === 0 || other === 0 ? Math.max(one, other) : Math.min(one, other);
}

function unavailable(reason: string): HatiError {
  return new HatiError('environment_unavailable', { params: { reason } });
}
