import type { StoreChannel } from '../../database/store-channel.ts';

const channelName = 'hatidata_definitions';

/**
 * How often tables and their like have changed, as far as any proxy of the store knows: what is prepared before and after must
 * not be taken for the same.
 */
export class Definitions {
  private count = 0;
  private readonly parts: DefinitionsParts;

  /** Before `channel.start`. */
  constructor(parts: DefinitionsParts) {
    this.parts = parts;
    parts.channel.receive(channelName, (instance) => {
      if (instance === String(parts.instance)) return;
      this.count += 1;
      parts.onChanged();
    });
  }

  get epoch(): number {
    return this.count;
  }

  /** A client of ours may have changed something. */
  changed(): void {
    this.count += 1;
    const { channel, instance, onChanged } = this.parts;
    onChanged();
    // With the store away the others find out from their engine.
    if (channel.isHeard) channel.publish(channelName, String(instance)).catch(() => undefined);
  }

  /** The engine says that something has changed which nobody told us of. */
  noticed(): void {
    this.count += 1;
    this.parts.onChanged();
  }
}

export interface DefinitionsParts {
  /** Our own number. */
  readonly instance: number;
  readonly channel: StoreChannel;
  readonly onChanged: () => void;
}
