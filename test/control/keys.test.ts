/** What the proxy remembers of keys, on a real store: fairness, memory, and a store that is away. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Acts } from '../../src/control/act.ts';
import { StoreKeyDirectory } from '../../src/control/keys/directory.ts';
import { StoreKeyFunctions } from '../../src/control/keys/functions.ts';
import { KeyHasher } from '../../src/control/keys/hasher.ts';
import { lookupPrefix, newSecret } from '../../src/control/keys/model.ts';
import { KeyService } from '../../src/control/keys/service.ts';
import { connectControlDatabase, type ControlDatabase } from '../../src/database/connect.ts';
import { migrate } from '../../src/database/migrate.ts';
import { startEmbeddedServer, type EmbeddedServer } from '../../src/engine/embedded/server.ts';
import { adminAuthority } from '../../src/policy/authority.ts';
import type { Actor, SecretId } from '../../src/ports.ts';
import { systemClock } from '../../src/shared/clock.ts';
import { createLogger } from '../../src/shared/log.ts';
import { enterableDirectory } from '../fixtures/enterable-directory.ts';
import { Relay } from '../fixtures/relay.ts';

const log = createLogger({ level: 'fatal', destination: { write: () => undefined } });
const actor: Actor = {
  principal: { kind: 'localAdministrator', agent: 'tester', authority: adminAuthority },
  source: '127.0.0.1',
};

let root: string;
let engine: EmbeddedServer;
let control: ControlDatabase;
const hasher = new KeyHasher();

beforeAll(async () => {
  root = enterableDirectory('hati-keys-');
  engine = await startEmbeddedServer({ directory: join(root, '.hati'), log });
  const config = { ...engine.connection('control'), ssl: false };
  await migrate(config, log);
  // A second start finds everything done.
  await migrate(config, log);
  control = connectControlDatabase(config, log);
  await hasher.start();
});
afterAll(async () => {
  await control.close();
  await engine.stop();
  rmSync(root, { recursive: true, force: true });
});

const clock = systemClock;

function parts(): {
  directory: StoreKeyDirectory;
  service: StoreKeyFunctions;
  ended: SecretId[];
} {
  const { db } = control;
  const directory = new StoreKeyDirectory({ db, hasher, outageMs: 60_000, clock, log });
  const ended: SecretId[] = [];
  directory.onEnded((secret) => ended.push(secret));
  const service = new StoreKeyFunctions({
    db,
    acts: new Acts({ db, clock }),
    service: new KeyService(hasher, (secrets) =>
      secrets.forEach((secret) => directory.end(secret)),
    ),
  });
  return { directory, service, ended };
}

describe('secrets', () => {
  test('have a prefix to be found by and enough that stays secret', () => {
    for (const [scope, prefix] of [
      ['readonly', 'hd_ro_'],
      ['admin', 'hd_admin_'],
    ] as const) {
      const secret = newSecret(scope);
      expect(secret).toMatch(new RegExp(`^${prefix}[a-z0-9]{32}$`));
      expect(lookupPrefix(secret)).toBe(secret.slice(0, prefix.length + 8));
    }
    expect(new Set(Array.from({ length: 1_000 }, () => newSecret('admin'))).size).toBe(1_000);
  });

  test.each([
    '',
    'hd_ro_',
    'hd_ro_short',
    `hd_ro_${'A'.repeat(32)}`,
    `hd_ro_${'a'.repeat(33)}`,
    'x'.repeat(5_000),
  ])('no prefix for %j', (text) => expect(lookupPrefix(text)).toBeUndefined());
});

describe('a directory', () => {
  test('forgets a key the moment it ends, and says so once', async () => {
    const { directory, service, ended } = parts();
    const secret = await service.call('create_api_key', ['forgetful', 'readonly', null], actor);
    const principal = await directory.verify(secret, 'a');
    expect(principal).toMatchObject({
      kind: 'key',
      agent: 'forgetful',
      authority: { scope: 'readonly' },
    });
    expect(directory.isCurrent(principal!)).toBe(true);
    const replacement = await service.call('rotate_api_key', ['forgetful'], actor);
    expect(directory.isCurrent(principal!)).toBe(false);
    expect(ended).toHaveLength(1);
    expect(await directory.verify(secret, 'a')).toBeUndefined();
    expect(await directory.verify(replacement, 'a')).toMatchObject({ agent: 'forgetful' });
  });

  test('finds out what ended while the store was away, also of secrets that it has forgotten and a session has', async () => {
    const { directory: other, service } = parts();
    const secret = await service.call('create_api_key', ['in session', 'readonly', null], actor);
    const principal = await other.verify(secret, 'a');
    const secretId = principal?.kind === 'key' ? principal.secretId : undefined;
    const { directory, ended } = parts();
    directory.alsoWatch(() => [secretId!]);
    await directory.resume();
    expect(ended).toEqual([]);
    await service.call('revoke_api_key', ['in session'], actor);
    directory.suspend(performance.now());
    await directory.resume();
    expect(ended).toEqual([secretId]);
  });

  test('rotating the same key many times at once leaves one that works', async () => {
    const { directory, service } = parts();
    await service.call('create_api_key', ['spun', 'admin', ''], actor);
    const secrets = await Promise.all(
      Array.from({ length: 8 }, () => service.call('rotate_api_key', ['spun'], actor)),
    );
    const good = await Promise.all(secrets.map((secret) => directory.verify(secret, 'a')));
    expect(good.filter((each) => each !== undefined)).toHaveLength(1);
  });

  test('creating the same name many times at once makes one key', async () => {
    const { service } = parts();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, () =>
        service.call('create_api_key', ['raced', 'readonly', ''], actor),
      ),
    );
    expect(outcomes.filter((each) => each.status === 'fulfilled')).toHaveLength(1);
    for (const each of outcomes) {
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'key_name_taken' });
    }
  });

  test('knows a good key while the store is away, and refuses what it does not know', async () => {
    const config = { ...engine.connection('control'), ssl: false };
    const relay = await Relay.start(`${config.host}/.s.PGSQL.${config.port}`);
    const [host, port] = relay.address.split(':');
    const other = connectControlDatabase({ ...config, host: host!, port: Number(port) }, log);
    const directory = new StoreKeyDirectory({ db: other.db, hasher, outageMs: 60_000, clock, log });
    const { service } = parts();
    const secret = await service.call('create_api_key', ['known', 'readonly', ''], actor);
    expect(await directory.verify(secret, 'a')).toBeDefined();
    await directory.flushUses();
    relay.refuse();
    relay.cut();
    expect(await directory.verify(secret, 'a')).toMatchObject({ agent: 'known' });
    await expect(directory.verify(newSecret('admin'), 'a')).rejects.toMatchObject({
      code: 'store_unreachable',
    });
    await other.close();
  });

  test('a flood of wrong keys from one source does not hold up another', async () => {
    const { directory, service } = parts();
    const secret = await service.call('create_api_key', ['patient', 'readonly', ''], actor);
    let floodDone = 0;
    const flood = Array.from({ length: 100 }, () =>
      directory.verify(newSecret('readonly'), 'attacker').finally(() => {
        floodDone += 1;
      }),
    );
    await directory.verify(secret, 'honest');
    // Its turn came after those under way, not after the queue.
    expect(floodDone).toBeLessThan(20);
    await Promise.all(flood);
    const tooMany = await Promise.allSettled(
      Array.from({ length: 400 }, () => directory.verify(newSecret('readonly'), 'attacker')),
    );
    const refused = tooMany.filter((each) => each.status === 'rejected');
    expect(refused.length).toBeGreaterThan(0);
    for (const each of refused) expect(each.reason).toMatchObject({ code: 'too_many_logins' });
  });
});
