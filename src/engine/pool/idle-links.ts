import type { EngineLink } from './link.ts';
import type { Partition } from './partitions.ts';
import type { LinkRequest } from './waiters.ts';

export interface IdleLinksOptions {
  /** Throws when the engine's settings can't be worked with. */
  readonly check: (parameters: ReadonlyMap<string, string>) => void;
  readonly idleMs: number;
  /** An older one is closed. */
  readonly lifetimeMs: number;
}

/** An idle link that suits better is looked for among so many. */
const lookBack = 16;

/** Connections that nobody holds, and which of them suits whom. */
export class IdleLinks {
  private readonly options: IdleLinksOptions;
  /** Oldest first. */
  private readonly links: EngineLink[] = [];

  constructor(options: IdleLinksOptions) {
    this.options = options;
  }

  get count(): number {
    return this.links.length;
  }

  get all(): ReadonlySet<EngineLink> {
    return new Set(this.links);
  }

  get newest(): EngineLink | undefined {
    return this.links.at(-1);
  }

  /** Whether somebody may get this one, which comes back. */
  isFit(link: EngineLink): boolean {
    const isWorn = this.isOld(link) || link.statements.areWorn;
    return !isWorn && link.isUsable && this.isSafe(link);
  }

  add(link: EngineLink): void {
    this.links.push(link);
  }

  delete(link: EngineLink): void {
    const at = this.links.indexOf(link);
    if (at >= 0) this.links.splice(at, 1);
  }

  /** The one that suits best; it is nobody else's from now on. */
  take({ partition, holder }: LinkRequest): EngineLink | undefined {
    let found = -1;
    for (let at = this.links.length - 1; at >= 0; at -= 1) {
      const link = this.links[at]!;
      if (link.partition !== partition.key || !link.isUsable || !this.isSafe(link)) continue;
      // Whoever had it before need not have it prepared.
      if (link.lastHolder === holder) {
        found = at;
        break;
      }
      if (found < 0 || (this.links[found]!.left !== 'nothing' && link.left === 'nothing'))
        found = at;
      if (this.links.length - at > lookBack) break;
    }
    return found < 0 ? undefined : this.links.splice(found, 1)[0];
  }

  takeOldest(): EngineLink | undefined {
    return this.links.shift();
  }

  closeOf({ key }: Partition): void {
    for (const link of this.links.filter(({ partition }) => partition === key)) link.close();
  }

  closeAll(): void {
    for (const link of [...this.links]) link.close();
  }

  /** Those that are old, or have been idle for long. */
  closeStale(): void {
    const now = Date.now();
    for (const link of [...this.links])
      if (this.isOld(link) || now - link.idleSince > this.options.idleMs) link.close();
  }

  private isOld(link: EngineLink): boolean {
    return Date.now() - link.openedAt > this.options.lifetimeMs;
  }

  /** Whether it still has the settings without which nobody may use it; looked at where one has changed. */
  private isSafe(link: EngineLink): boolean {
    if (link.checked === link.parameters) return true;
    try {
      this.options.check(link.parameters);
    } catch {
      return false;
    }
    link.checked = link.parameters;
    return true;
  }
}
