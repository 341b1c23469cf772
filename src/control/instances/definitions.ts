import type { StoreChannel } from '../../database/store-channel.ts';

const channelName = 'hatidata_definitions';
/** Counts of two environments never meet. */
const apart = 2 ** 32;

export interface DefinitionNewsParts {
  /** Our own number. */
  readonly instance: number;
  readonly channel: StoreChannel;
}

/** What the proxies of a store tell each other of definitions, by environment. */
export class DefinitionNews {
  private readonly parts: DefinitionNewsParts;
  private readonly listeners = new Map<string, Definitions>();
  private begun = 0;

  /** Before `channel.start`. */
  constructor(parts: DefinitionNewsParts) {
    this.parts = parts;
    parts.channel.receive(channelName, (payload) => {
      const [instance, environment] = payload.split(' ', 2);
      if (instance === String(parts.instance)) return;
      // A proxy of an older version does not say where.
      const all = environment === undefined;
      for (const [each, definitions] of this.listeners)
        if (all || each === environment) definitions.noticed();
    });
  }

  /** @param onChanged told of each change */
  of(environment: string, onChanged: () => void): Definitions {
    this.begun += 1;
    const definitions = new Definitions(this.begun * apart, onChanged, () =>
      this.publish(environment),
    );
    this.listeners.set(environment, definitions);
    return definitions;
  }

  forget(environment: string): void {
    this.listeners.delete(environment);
  }

  private publish(environment: string): void {
    const { channel, instance } = this.parts;
    // With the store away the others find out from their engine.
    if (!channel.isHeard) return;
    channel.publish(channelName, `${instance} ${environment}`).catch(() => undefined);
  }
}

/**
 * How often tables and their like have changed, as far as any proxy of the store knows: what is prepared before and after must
 * not be taken for the same.
 */
export class Definitions {
  private count: number;
  private readonly onChanged: () => void;
  private readonly publish: () => void;

  constructor(first: number, onChanged: () => void, publish: () => void) {
    this.count = first;
    this.onChanged = onChanged;
    this.publish = publish;
  }

  get epoch(): number {
    return this.count;
  }

  /** A client of ours may have changed something. */
  changed(): void {
    this.noticed();
    this.publish();
  }

  /** The engine, or another proxy, says that something has changed which nobody here told us of. */
  noticed(): void {
    this.count += 1;
    this.onChanged();
  }
}
