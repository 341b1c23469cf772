import type { Kysely } from 'kysely';
import {
  archiveEnvironment,
  createEnvironment,
  listEnvironments,
  previewPromotion,
  promoteEnvironment,
  readEnvironment,
  updateEnvironment,
} from '../../api/environments.ts';
import { pageFrom } from '../../api/paging.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import { idOf } from '../caller.ts';
import { bind, type Binding } from '../http/binding.ts';
import { positionBehind } from '../http/cursor.ts';
import { differencesBetween, shown, type EnvironmentRow, type ProxyAddress } from './model.ts';
import {
  refusePromotion,
  unknownEnvironment,
  type EngineWish,
  type EnvironmentService,
} from './service.ts';
import { findEnvironment, listEnvironmentRows } from './store.ts';

export type EngineCheck = (engine: EngineWish) => Promise<void>;

export interface EnvironmentRoutesParts {
  readonly db: Kysely<ControlSchema>;
  readonly environments: EnvironmentService;
  readonly address: ProxyAddress;
  /** Undefined where there is no embedded server. */
  readonly provisioner: { wake(): void } | undefined;
  /** Throws `request_invalid` with what is wrong with an engine; undefined where URLs are not allowed. */
  readonly checkEngine: EngineCheck | undefined;
}

export function environmentBindings(parts: EnvironmentRoutesParts): readonly Binding[] {
  const { db, environments, address, provisioner } = parts;
  const reply = (row: EnvironmentRow) => ({ body: shown(row, address), version: row.version });
  return [
    bind(listEnvironments, async ({ params, query }) => {
      const { limit, status } = query;
      const behind = positionBehind(query.cursor, 'env_');
      const listing = { orgId: params.org_id, status, limit, behind };
      const { rows, total } = await listEnvironmentRows(db, listing);
      const body = pageFrom(rows, {
        limit,
        total,
        item: (row) => shown(row, address),
        position: (row) => [row.created_at.toISOString(), row.env_id],
      });
      return { body };
    }),
    bind(createEnvironment, async ({ params, body, change }) => {
      if (body.engine !== undefined) await checkedEngine(parts, body.engine);
      else if (provisioner === undefined) throw noEmbedded();
      const { name, slug, kind, settings, engine } = body;
      return await change(async (act) => {
        const wish = { name, slug, kind, settings, engine };
        const row = await environments.create(act, params.org_id, wish);
        act.afterwards(() => provisioner?.wake());
        return reply(row);
      });
    }),
    bind(readEnvironment, async ({ params }) => reply(await found(db, params.env_id))),
    bind(updateEnvironment, async ({ params, body, ifVersion, change }) => {
      if (body.engine !== undefined) await checkedEngine(parts, body.engine);
      return reply(await change((act) => environments.update(act, params.env_id, body, ifVersion)));
    }),
    bind(archiveEnvironment, async ({ params, caller, change }) =>
      reply(await change((act) => environments.archive(act, params.env_id, idOf(caller)))),
    ),
    bind(previewPromotion, async ({ params, query }) => {
      const [source, target] = await Promise.all([
        found(db, params.env_id),
        found(db, query.target_env_id),
      ]);
      refusePromotion(source, target);
      return promotionOf(source, target, target.version);
    }),
    bind(promoteEnvironment, async ({ params, body, ifVersion, change }) => {
      const ids = { source: params.env_id, target: body.target_env_id };
      const { before, after, source } = await change((act) =>
        environments.promote(act, ids, { ifVersion, shown: body.differences }),
      );
      return promotionOf(source, before, after.version);
    }),
  ];
}

async function found(db: Kysely<ControlSchema>, envId: string): Promise<EnvironmentRow> {
  const row = await findEnvironment(db, envId);
  if (row === undefined) throw unknownEnvironment();
  return row;
}

function promotionOf(source: EnvironmentRow, target: EnvironmentRow, version: number) {
  return {
    body: {
      source_env_id: source.env_id,
      target_env_id: target.env_id,
      differences: differencesBetween(source, target),
    },
    version,
  };
}

async function checkedEngine(
  { checkEngine }: EnvironmentRoutesParts,
  engine: EngineWish,
): Promise<void> {
  if (checkEngine === undefined) throw invalidEngine('engines by URL are not allowed here');
  await checkEngine(engine);
}

function noEmbedded(): HatiError {
  return invalidEngine('there is no embedded PostgreSQL here: give the URL of one');
}

export function invalidEngine(reason: string): HatiError {
  return new HatiError('request_invalid', {
    params: { message: `engine: ${reason}` },
    details: { field: 'engine', constraint: 'usable' },
  });
}
