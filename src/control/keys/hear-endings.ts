import type { StoreChannel } from '../../database/store-channel.ts';
import type { SecretId } from '../../ports.ts';
import { networksChannel, type ChangedNetworks } from './changes.ts';
import type { StoreKeyDirectory } from './directory.ts';
import { endedChannel, expiringChannel } from './secret-store.ts';

/** What other proxies of the store do to keys is felt here. Before the channel starts. */
export function hearEndings(channel: StoreChannel, directory: StoreKeyDirectory): void {
  channel.receive(endedChannel, (secret) => directory.end(secret as SecretId));
  channel.receive(expiringChannel, (payload) => {
    const [secret, at] = payload.split(' ', 2);
    directory.willEnd(secret as SecretId, new Date(Number(at)));
  });
  channel.receive(networksChannel, (payload) => {
    const { secret, networks } = JSON.parse(payload) as ChangedNetworks;
    directory.networksAre(secret, networks);
  });
  channel.watch({
    catchUp: () => directory.resume(),
    onHeard: () => undefined,
    onLost: (heardAt) => directory.suspend(heardAt),
  });
}
