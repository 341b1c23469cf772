import type { Logger } from 'pino';
import { longestPayload, type StoreChannel } from '../../database/store-channel.ts';
import type { KeyId, SessionCounts } from '../../ports.ts';
import type { Identity } from './identity.ts';

const channelName = 'hatidata_instances';
/** Changes of so long are told together. */
const gatherMs = 200;
const heartbeatMs = 5_000;
/** Who was not heard for so long is gone. */
const expiryMs = 15_000;
/** How often the store is asked who lives, at the most. */
const askAgainMs = 1_000;

/** What an instance tells the others. Counts are what there is now, not differences. */
interface Message {
  readonly from: number;
  readonly total: number;
  readonly keys?: readonly (readonly [KeyId, number])[];
  /** What was said of keys before is void. */
  readonly isWhole?: boolean;
  /** The sender does not know of everybody: the others shall tell all. */
  readonly asks?: boolean;
  readonly leaves?: boolean;
}

interface Instance {
  heardAt: number;
  total: number;
  keys: Map<KeyId, number>;
}

export interface SessionCountsParts {
  readonly identity: Identity;
  readonly channel: StoreChannel;
  /** Asks the store. */
  readonly living: () => Promise<ReadonlySet<number>>;
  readonly log: Logger;
}

/**
 * How many sessions the other instances of the store have, in all and for each key. Each of them tells what has changed,
 * five times a second at most, and that it lives. While the store is away the last known counts stand until they expire.
 */
export class GossipedCounts implements SessionCounts {
  private readonly parts: SessionCountsParts;
  private readonly others = new Map<number, Instance>();
  private readonly own = new Map<KeyId, number>();
  private total = 0;
  /** What the others know of us. */
  private readonly told = { total: 0, keys: new Map<KeyId, number>() };
  private readonly changed = new Set<KeyId>();
  private tellsAll = false;
  private asks = false;
  private toldAt = 0;
  private gathering: NodeJS.Timeout | undefined;
  private heart: NodeJS.Timeout | undefined;
  private freshening: Promise<void> | undefined;
  private freshAt = -Infinity;

  constructor(parts: SessionCountsParts) {
    this.parts = parts;
    const { channel } = parts;
    channel.receive(channelName, (payload) => this.onPayload(payload));
    channel.watch({
      catchUp: () => Promise.resolve(),
      onHeard: () => {
        this.asks = true;
        this.tellsAll = true;
        void this.tell();
      },
      onLost: () => undefined,
    });
  }

  start(): void {
    this.heart = setInterval(() => this.beat(), heartbeatMs).unref();
  }

  async stop(): Promise<void> {
    clearTimeout(this.gathering);
    clearInterval(this.heart);
    await this.publish([{ from: this.parts.identity.number, total: 0, leaves: true }]);
  }

  /** Of those that are heard, this one not among them. */
  get instances(): number {
    return [...this.alive()].length;
  }

  isAlive(number: number): boolean {
    const instance = this.others.get(number);
    return instance !== undefined && isFresh(instance);
  }

  elsewhere(keyId: KeyId | undefined): { total: number; ofKey: number } {
    const counts = { total: 0, ofKey: 0 };
    for (const { total, keys } of this.alive()) {
      counts.total += total;
      if (keyId !== undefined) counts.ofKey += keys.get(keyId) ?? 0;
    }
    return counts;
  }

  /** Forgets the dead: one that was killed has said nothing. */
  freshen(): Promise<void> {
    const isDue = performance.now() - this.freshAt >= askAgainMs;
    if (this.others.size === 0 || !this.parts.channel.isHeard || !isDue)
      return this.freshening ?? Promise.resolve();
    this.freshAt = performance.now();
    this.freshening = this.forgetDead().finally(() => {
      this.freshening = undefined;
    });
    return this.freshening;
  }

  private async forgetDead(): Promise<void> {
    try {
      const living = await this.parts.living();
      for (const number of this.others.keys()) if (!living.has(number)) this.others.delete(number);
    } catch (error) {
      this.parts.log.debug({ err: error }, 'it was not found out which instances live');
    }
  }

  changeHere(total: number, keyId: KeyId | undefined, ofKey: number): void {
    this.total = total;
    if (keyId !== undefined) {
      if (ofKey > 0) this.own.set(keyId, ofKey);
      else this.own.delete(keyId);
      this.changed.add(keyId);
    }
    this.gather();
  }

  private *alive(): Iterable<Instance> {
    for (const instance of this.others.values()) if (isFresh(instance)) yield instance;
  }

  private gather(): void {
    this.gathering ??= setTimeout(() => void this.tell(), gatherMs).unref();
  }

  private beat(): void {
    for (const [number, instance] of this.others)
      if (!isFresh(instance)) this.others.delete(number);
    if (performance.now() - this.toldAt < heartbeatMs / 2) return;
    void this.publish([{ from: this.parts.identity.number, total: this.total }]);
  }

  private async tell(): Promise<void> {
    clearTimeout(this.gathering);
    this.gathering = undefined;
    // All of it is told when the store is heard again.
    if (!this.parts.channel.isHeard) return;
    const { told, total, own, asks } = this;
    const isWhole = this.tellsAll;
    const names = isWhole ? own.keys() : this.changed;
    const keys = [...names]
      .map((key) => [key, own.get(key) ?? 0] as const)
      .filter(([key, count]) => isWhole || count !== (told.keys.get(key) ?? 0));
    this.changed.clear();
    this.asks = false;
    this.tellsAll = false;
    if (!isWhole && !asks && keys.length === 0 && told.total === total) return;
    told.total = total;
    for (const [key, count] of keys) {
      if (count > 0) told.keys.set(key, count);
      else told.keys.delete(key);
    }
    const first = { ...(isWhole && { isWhole }), ...(asks && { asks }) };
    const from = this.parts.identity.number;
    const messages = pieces(keys).map((piece, index) => ({
      from,
      total,
      keys: piece,
      ...(index === 0 && first),
    }));
    await this.publish(messages);
  }

  private async publish(messages: readonly Message[]): Promise<void> {
    const { channel, log } = this.parts;
    if (!channel.isHeard) return;
    this.toldAt = performance.now();
    try {
      await Promise.all(
        messages.map((message) => channel.publish(channelName, JSON.stringify(message))),
      );
    } catch (error) {
      log.debug({ err: error }, 'the number of sessions was not told to the other instances');
      this.tellsAll = true;
    }
  }

  private onPayload(payload: string): void {
    try {
      this.onMessage(JSON.parse(payload) as Message);
    } catch (error) {
      this.parts.log.warn({ err: error }, 'another instance said what is not understood');
    }
  }

  private onMessage({ from, total, keys = [], isWhole = false, asks, leaves }: Message): void {
    if (from === this.parts.identity.number) return;
    if (leaves === true) {
      this.others.delete(from);
      return;
    }
    let instance = this.others.get(from);
    if (instance === undefined) {
      instance = { heardAt: 0, total: 0, keys: new Map() };
      this.others.set(from, instance);
      // It has told others of its keys, not us.
      if (!isWhole) this.asks = true;
    }
    instance.heardAt = performance.now();
    instance.total = total;
    if (isWhole) instance.keys.clear();
    for (const [key, count] of keys) {
      if (count > 0) instance.keys.set(key, count);
      else instance.keys.delete(key);
    }
    if (asks === true) this.tellsAll = true;
    if (this.asks || this.tellsAll) this.gather();
  }
}

function isFresh({ heardAt }: Instance): boolean {
  return performance.now() - heardAt < expiryMs;
}

/** One at least; each fits into a payload. */
function pieces<T>(items: readonly T[]): readonly (readonly T[])[] {
  const count = Math.max(1, Math.ceil(items.length / keysInMessage));
  return Array.from({ length: count }, (_, at) =>
    items.slice(at * keysInMessage, (at + 1) * keysInMessage),
  );
}

/** An identifier of 16 characters, its count, and what is around them; and the rest of the message. */
const keysInMessage = Math.floor((longestPayload - 200) / 30);
