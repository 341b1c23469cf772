import { randomUUID } from 'node:crypto';
import type { Kysely } from 'kysely';
import { appendIamRecords, type IamRecord } from '../../audit/iam.ts';
import type { ControlSchema } from '../../database/schema.ts';
import { HatiError } from '../../errors.ts';
import { covers, type Authority } from '../../policy/authority.ts';
import { printGrants } from '../../policy/limits.ts';
import type { Actor, KeyFunctions, SecretId } from '../../ports.ts';
import type { KeyFunctionName } from '../../sql/statement.ts';
import type { KeyHasher } from './hasher.ts';
import {
  checkedAgent,
  checkedAuthority,
  checkedDescription,
  lookupPrefix,
  newKeyId,
  newSecret,
} from './model.ts';
import { endSecrets, insertKey, insertSecret, lockActiveKey, markRevoked } from './store.ts';

export interface KeyServiceParts {
  readonly db: Kysely<ControlSchema>;
  readonly hasher: KeyHasher;
  /** Told of ended secrets once the change is durable, before the caller hears of it. */
  readonly onEnded: (secrets: readonly SecretId[]) => void;
}

/** Creates, rotates and revokes keys. Every act and its record are one transaction. */
export class KeyService implements KeyFunctions {
  private readonly parts: KeyServiceParts;

  constructor(parts: KeyServiceParts) {
    this.parts = parts;
  }

  call(name: KeyFunctionName, args: readonly (string | null)[], actor: Actor): Promise<string> {
    const agent = checkedAgent(args[0] ?? null);
    switch (name) {
      case 'create_api_key':
        return this.create(
          agent,
          checkedAuthority(args[1] ?? null, args[3]),
          checkedDescription(args[2]),
          actor,
        );
      case 'rotate_api_key':
        return this.rotate(agent, actor);
      case 'revoke_api_key':
        return this.revoke(agent, actor);
    }
  }

  private async create(
    agent: string,
    authority: Authority,
    description: string,
    actor: Actor,
  ): Promise<string> {
    refuseStronger(actor, authority, agent);
    const keyId = newKeyId();
    const secret = await this.issue(authority.scope);
    try {
      await this.parts.db.transaction().execute(async (tx) => {
        await insertKey(tx, { keyId, agent, authority, description });
        await insertSecret(tx, { ...secret.row, keyId });
        await appendIamRecords(tx, [
          record('key.created', agent, actor, {
            keyId,
            scope: authority.scope,
            limits: printGrants(authority),
            description,
          }),
        ]);
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw new HatiError('key_name_taken', { params: { agent } });
      throw storeError(error);
    }
    return secret.secret;
  }

  private async rotate(agent: string, actor: Actor): Promise<string> {
    const rotated = await this.changeActive(agent, actor, async (tx, key) => {
      const ended = await endSecrets(tx, key.keyId);
      const secret = await this.issue(key.authority.scope);
      await insertSecret(tx, { ...secret.row, keyId: key.keyId });
      await appendIamRecords(tx, [record('key.rotated', agent, actor, { keyId: key.keyId })]);
      return { ended, result: secret.secret };
    });
    return rotated;
  }

  private revoke(agent: string, actor: Actor): Promise<string> {
    return this.changeActive(agent, actor, async (tx, key) => {
      const ended = await endSecrets(tx, key.keyId);
      await markRevoked(tx, key.keyId);
      await appendIamRecords(tx, [record('key.revoked', agent, actor, { keyId: key.keyId })]);
      return { ended, result: agent };
    });
  }

  private async changeActive(
    agent: string,
    actor: Actor,
    change: (
      tx: Parameters<typeof lockActiveKey>[0],
      key: NonNullable<Awaited<ReturnType<typeof lockActiveKey>>>,
    ) => Promise<{ ended: readonly SecretId[]; result: string }>,
  ): Promise<string> {
    try {
      const { ended, result } = await this.parts.db.transaction().execute(async (tx) => {
        const key = await lockActiveKey(tx, agent);
        if (key === undefined) throw new HatiError('key_unknown', { params: { agent } });
        refuseStronger(actor, key.authority, agent);
        return change(tx, key);
      });
      this.parts.onEnded(ended);
      return result;
    } catch (error) {
      throw storeError(error);
    }
  }

  private async issue(scope: string): Promise<{
    secret: string;
    row: { secretId: string; prefix: string; hash: string };
  }> {
    const secret = newSecret(scope);
    const hash = await this.parts.hasher.hash(secret);
    return { secret, row: { secretId: randomUUID(), prefix: lookupPrefix(secret)!, hash } };
  }
}

/** Whoever got the secret of a stronger key would have become stronger; and nobody ends the keys of those above. */
function refuseStronger({ principal }: Actor, key: Authority, agent: string): void {
  if (!covers(principal.authority, key)) throw new HatiError('key_stronger', { params: { agent } });
}

function record(
  action: IamRecord['action'],
  agent: string,
  actor: Actor,
  detail: IamRecord['detail'],
): IamRecord {
  const { principal, source } = actor;
  return {
    action,
    actor: principal.agent,
    actorKeyId: principal.kind === 'key' ? principal.keyId : null,
    source,
    target: agent,
    detail,
  };
}

function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '23505';
}

function storeError(error: unknown): HatiError {
  return error instanceof HatiError ? error : new HatiError('store_unreachable', { cause: error });
}
