import { isDeepStrictEqual } from 'node:util';
import { tiers, type Tier } from '../../api/tiers.ts';
import { HatiError } from '../../errors.ts';
import { newId } from '../../shared/ids.ts';
import type { SecretBox } from '../../shared/secret-box.ts';
import { brokenIndex, type Act } from '../act.ts';
import { revokeKeys } from '../keys/secret-store.ts';
import {
  differencesBetween,
  type Difference,
  kindOf,
  recorded,
  settingsOf,
  type EnvironmentKind,
  type EnvironmentRow,
  type SomeSettings,
} from './model.ts';
import { lockEnvironmentRow, tellChanged } from './store.ts';

export interface EngineWish {
  readonly url: string;
  readonly reader_url?: string | undefined;
}

export interface EnvironmentWish {
  readonly name: string;
  readonly slug: string;
  readonly kind: EnvironmentKind | undefined;
  readonly settings: SomeSettings | undefined;
  readonly engine: EngineWish | undefined;
}

export interface EnvironmentChange {
  readonly name?: string | undefined;
  readonly settings?: SomeSettings | undefined;
  readonly engine?: EngineWish | undefined;
}

/** What somebody has seen before he says that it shall be done. */
export interface Agreed {
  /** Of the target. */
  readonly ifVersion: number | undefined;
  readonly shown: readonly Difference[] | undefined;
}

/** Environments. Each act is part of its caller's transaction. */
export class EnvironmentService {
  private readonly box: SecretBox;

  constructor(box: SecretBox) {
    this.box = box;
  }

  async create(act: Act, orgId: string, wish: EnvironmentWish): Promise<EnvironmentRow> {
    const { name, slug, kind = kindOf(slug), settings, engine } = wish;
    await refuseTooMany(act, orgId);
    const envId = newId('env_');
    let row: EnvironmentRow;
    try {
      row = await act.tx
        .insertInto('environments')
        .values({
          env_id: envId,
          org_id: orgId,
          name,
          slug,
          kind,
          // The database of an embedded one has to be made (`provisioner.ts`).
          status: engine === undefined ? 'provisioning' : 'active',
          engine: engine === undefined ? 'embedded' : 'url',
          ...this.sealed(envId, engine),
          ...settings,
          created_at: act.now,
          updated_at: act.now,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
    } catch (error) {
      if (brokenIndex(error) !== 'environments_slug') throw error;
      throw new HatiError('conflict', {
        params: { message: `the organization has an environment "${slug}" already` },
        details: { field: 'slug', constraint: 'unique' },
      });
    }
    const detail = { after: recorded(row) };
    act.record({ action: 'environment.created', target: envId, orgId, envId, detail });
    return row;
  }

  async update(
    act: Act,
    envId: string,
    { name, settings, engine }: EnvironmentChange,
    ifVersion: number | undefined,
  ): Promise<EnvironmentRow> {
    const before = await lockActive(act, envId, ifVersion);
    if (engine !== undefined && before.engine !== 'url') {
      throw new HatiError('conflict', {
        params: { message: 'the engine of this environment is not reached by a URL' },
        details: { field: 'engine' },
      });
    }
    const after = await write(act, before, {
      ...(name !== undefined && { name }),
      ...settings,
      ...(engine && this.sealed(envId, engine)),
    });
    this.note(act, 'environment.updated', before, after, engine && { engineUrlChanged: true });
    return after;
  }

  async archive(act: Act, envId: string, by: string): Promise<EnvironmentRow> {
    const before = await lockEnvironmentRow(act.tx, envId);
    if (before === undefined) throw unknownEnvironment();
    if (before.status === 'archived') return before;
    if (before.is_first) {
      throw new HatiError('conflict', {
        params: {
          message: 'the environment whose engine is that of the server cannot be archived',
        },
      });
    }
    const revoked = await revokeKeys(act.tx, [envId], { at: act.now, who: by });
    const after = await write(act, before, { status: 'archived' });
    this.note(act, 'environment.archived', before, after, { keysRevoked: revoked });
    return after;
  }

  async promote(
    act: Act,
    ids: { readonly source: string; readonly target: string },
    { ifVersion, shown }: Agreed,
  ): Promise<{ before: EnvironmentRow; after: EnvironmentRow; source: EnvironmentRow }> {
    // In one order, so that two in opposite directions don't wait for each other.
    const [first, second] = [ids.source, ids.target].toSorted();
    await lockEnvironmentRow(act.tx, first!);
    await lockEnvironmentRow(act.tx, second!);
    const source = await lockActive(act, ids.source, undefined);
    const before = await lockActive(act, ids.target, ifVersion);
    refusePromotion(source, before);
    const changes = differencesBetween(source, before);
    if (shown !== undefined && !isDeepStrictEqual(shown, changes)) throw changed(before);
    if (changes.length === 0) return { before, after: before, source };
    const after = await write(act, before, settingsOf(source));
    this.note(act, 'environment.promoted', before, after, { source: ids.source });
    return { before, after, source };
  }

  private sealed(envId: string, engine: EngineWish | undefined) {
    if (engine === undefined) return { engine_url: null, engine_reader_url: null };
    const { url, reader_url: readerUrl } = engine;
    return {
      engine_url: this.box.seal(url, `engine:${envId}`),
      engine_reader_url:
        readerUrl === undefined ? null : this.box.seal(readerUrl, `engine-reader:${envId}`),
    };
  }

  private note(
    act: Act,
    action: 'environment.updated' | 'environment.archived' | 'environment.promoted',
    before: EnvironmentRow,
    after: EnvironmentRow,
    more: Readonly<Record<string, unknown>> = {},
  ): void {
    const { env_id: envId, org_id: orgId } = after;
    const detail = { before: recorded(before), after: recorded(after), ...more };
    act.record({ action, target: envId, orgId, envId, detail });
  }
}

export function refusePromotion(source: EnvironmentRow, target: EnvironmentRow): void {
  if (source.org_id !== target.org_id) throw unknownEnvironment();
  if (source.env_id !== target.env_id) return;
  throw new HatiError('request_invalid', {
    params: { message: 'target_env_id: it is the environment itself' },
    details: { field: 'target_env_id', constraint: 'other' },
  });
}

function changed({ version }: EnvironmentRow): HatiError {
  return new HatiError('version_changed', { params: { version } });
}

export function unknownEnvironment(): HatiError {
  return new HatiError('resource_unknown', { params: { what: 'environment' } });
}

async function lockActive(
  act: Act,
  envId: string,
  ifVersion: number | undefined,
): Promise<EnvironmentRow> {
  const row = await lockEnvironmentRow(act.tx, envId);
  if (row === undefined) throw unknownEnvironment();
  if (ifVersion !== undefined && ifVersion !== row.version) throw changed(row);
  if (row.status === 'active') return row;
  throw new HatiError('conflict', {
    params: { message: `the environment is ${row.status}` },
    details: { status: row.status },
  });
}

async function write(
  act: Act,
  { env_id: envId, version }: EnvironmentRow,
  values: { readonly [Name in keyof EnvironmentRow]?: EnvironmentRow[Name] | undefined },
): Promise<EnvironmentRow> {
  const row = await act.tx
    .updateTable('environments')
    .set({ ...values, version: version + 1, updated_at: act.now })
    .where('env_id', '=', envId)
    .returningAll()
    .executeTakeFirstOrThrow();
  await tellChanged(act.tx, envId);
  return row;
}

/** The organization is locked, so that no two count at once. */
async function refuseTooMany({ tx }: Act, orgId: string): Promise<void> {
  const org = await tx
    .selectFrom('organizations')
    .select('tier')
    .where('org_id', '=', orgId)
    .forUpdate()
    .executeTakeFirstOrThrow();
  const limit = tiers[org.tier satisfies Tier].environments;
  if (limit === Infinity) return;
  const { count } = await tx
    .selectFrom('environments')
    .select((eb) => eb.fn.countAll<string>().as('count'))
    .where('org_id', '=', orgId)
    .where('status', '<>', 'archived')
    .executeTakeFirstOrThrow();
  if (Number(count) < limit) return;
  throw new HatiError('conflict', {
    params: { message: `the organization has as many environments as it may have: ${limit}` },
    details: { limit },
  });
}
