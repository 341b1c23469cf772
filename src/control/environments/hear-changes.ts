import type { StoreChannel } from '../../database/store-channel.ts';
import type { EnvironmentId } from '../../ports.ts';
import { environmentChannel } from './store.ts';

/** What is changed about environments is heard here. Before the channel starts. */
export function hearEnvironments(
  channel: StoreChannel,
  environments: { changed(id: EnvironmentId): void; allChanged(): void },
): void {
  channel.receive(environmentChannel, (id) => environments.changed(id as EnvironmentId));
  channel.watch({
    catchUp: () => Promise.resolve(environments.allChanged()),
    onHeard: () => undefined,
    onLost: () => undefined,
  });
}
