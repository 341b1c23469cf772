import type { EnginePool, LinkRequest, Partition } from '../engine/pool/pool.ts';
import { priorities, type Priority } from '../engine/pool/waiting-line.ts';
import type { HatiError } from '../errors.ts';
import type { Principal } from '../ports.ts';
import { notice } from '../wire/backend-messages.ts';
import type { SessionParameters } from './session-parameters.ts';

export interface LinkWaitParts {
  readonly partition: Partition;
  readonly principal: Principal;
  readonly ownAnswers: {
    /** The client's own settings. */
    readonly parameters: Pick<SessionParameters, 'get'>;
  };
  readonly ending: { readonly isRelaying: boolean };
  tell(bytes: Buffer): void;
}

/** A session's place in the waiting line of the pool. */
export class LinkWait implements LinkRequest {
  /** By `performance.now()`; undefined while it does not wait. */
  since: number | undefined;
  private readonly parts: LinkWaitParts;
  private stop: ((error: HatiError) => void) | undefined;

  constructor(parts: LinkWaitParts) {
    this.parts = parts;
  }

  get isWaiting(): boolean {
    return this.stop !== undefined;
  }

  giveUp(error: HatiError): void {
    this.stop?.(error);
  }

  get partition(): Partition {
    return this.parts.partition;
  }

  get holder(): object {
    return this;
  }

  get group(): string {
    return groupOf(this.parts.principal);
  }

  priority(): Priority {
    const wanted = this.parts.ownAnswers.parameters.get('hatidata_priority');
    return priorities.find((each) => each === wanted) ?? 'normal';
  }

  isOver(): boolean {
    return !this.parts.ending.isRelaying;
  }

  onQueued(stop: ((error: HatiError) => void) | undefined): void {
    this.stop = stop;
    this.since = stop && performance.now();
  }

  onWaiting({ size, waiting }: EnginePool['figures']): void {
    this.parts.tell(
      notice(
        `waiting for an engine connection: all ${size} are in use, and ${waiting} sessions wait`,
      ),
    );
  }
}

/** Those who share their turns in the waiting line. */
export function groupOf(principal: Principal): string {
  return principal.kind === 'key' ? principal.keyId : principal.kind;
}
