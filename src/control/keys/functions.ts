import type { Kysely } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import type { Actor, EnvironmentId, KeyFunctions, Principal } from '../../ports.ts';
import type { KeyFunctionName } from '../../sql/statement.ts';
import type { Act, Acts } from '../act.ts';
import { checkedAgent, checkedAuthority, checkedDescription } from './model.ts';
import type { KeyActor } from './actor.ts';
import type { KeyService } from './service.ts';
import { firstEnvironment, holdKey, lockActiveKey, type LockedKey } from './store.ts';

export interface StoreKeyFunctionsParts {
  readonly db: Kysely<ControlSchema>;
  readonly acts: Acts;
  readonly service: KeyService;
}

/** `create_api_key` and its siblings: they act in the environment of who calls them. */
export class StoreKeyFunctions implements KeyFunctions {
  private readonly parts: StoreKeyFunctionsParts;
  /** Never another one. */
  private first: EnvironmentId | undefined;

  constructor(parts: StoreKeyFunctionsParts) {
    this.parts = parts;
  }

  async call(
    name: KeyFunctionName,
    args: readonly (string | null)[],
    { principal, source }: Actor,
  ): Promise<string> {
    const agent = checkedAgent(args[0] ?? null);
    const authority =
      name === 'create_api_key' ? checkedAuthority(args[1] ?? null, args[3]) : undefined;
    const description = checkedDescription(args[2]);
    const origin = {
      actor: principal.agent,
      actorKeyId: principal.kind === 'key' ? principal.keyId : null,
      source,
      requestId: null,
    };
    const { service } = this.parts;
    const who = {
      id: principal.kind === 'key' ? principal.keyId : principal.agent,
      receiver: principal.kind === 'key' ? principal.secretId : principal.agent,
      authority: principal.authority,
    };
    const envId = await this.environmentOf(principal);
    return await this.parts.acts.run(origin, async (act) => {
      const bounds =
        principal.kind === 'key' ? await holdKey(act.tx, principal, act.now) : undefined;
      const actor = { ...who, bounds };
      switch (name) {
        case 'create_api_key': {
          const wish = { envId, name: agent, authority: authority!, description };
          // No arguments say it otherwise: good from where and as long as the key that makes it.
          const within = bounds ?? { networks: [], expiresAt: null };
          const rest = { ...within, givenScopes: null, rotateEveryDays: null };
          return (await service.create(act, actor, { ...wish, ...rest })).secret;
        }
        case 'rotate_api_key': {
          const key = await activeKey(act, envId, agent);
          const how = { graceHours: 0, isRest: false };
          return (await service.rotate(act, actor, key, how)).secret;
        }
        case 'revoke_api_key':
          return await this.revoke(act, actor, await activeKey(act, envId, agent));
      }
    });
  }

  private async revoke(act: Act, actor: KeyActor, key: LockedKey): Promise<string> {
    const { org_id: orgId } = await act.tx
      .selectFrom('environments')
      .select('org_id')
      .where('env_id', '=', key.envId)
      .executeTakeFirstOrThrow();
    await this.parts.service.revoke(act, actor, key, orgId);
    return key.name;
  }

  private async environmentOf(principal: Principal): Promise<EnvironmentId> {
    if (principal.kind === 'key') return principal.environment;
    this.first ??= (await firstEnvironment(this.parts.db)).envId;
    return this.first;
  }
}

async function activeKey({ tx }: Act, envId: string, agent: string): Promise<LockedKey> {
  const key = await lockActiveKey(tx, envId, agent);
  if (key === undefined) throw new HatiError('key_unknown', { params: { agent } });
  return key;
}
