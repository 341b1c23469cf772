import type { LinkRequest, Partition } from '../engine/pool/pool.ts';
import { priorities, type Priority } from '../engine/pool/waiting-line.ts';
import type { HatiError } from '../errors.ts';
import type { Principal } from '../ports.ts';
import { notice } from '../wire/backend-messages.ts';
import type { SessionParameters } from './session-parameters.ts';

export interface LinkWaitParts {
  readonly partition: Partition;
  readonly principal: Principal;
  /** The client's own settings. */
  readonly settings: Pick<SessionParameters, 'get'>;
  readonly isOver: () => boolean;
  readonly toClient: (bytes: Buffer) => void;
}

/** A session's place in the waiting line of the pool. */
export class LinkWait {
  readonly request: LinkRequest;
  /** By `performance.now()`; undefined while it does not wait. */
  since: number | undefined;
  private stop: ((error: HatiError) => void) | undefined;

  constructor({ partition, principal, settings, isOver, toClient }: LinkWaitParts) {
    this.request = {
      partition,
      holder: this,
      group: principal.kind === 'key' ? principal.keyId : principal.kind,
      priority: () => priorityOf(settings.get('hatidata_priority')),
      isOver,
      onQueued: (stop) => {
        this.stop = stop;
        this.since = stop && performance.now();
      },
      onWaiting: ({ size, waiting }) =>
        toClient(
          notice(
            `waiting for an engine connection: all ${size} are in use, and ${waiting} sessions wait`,
          ),
        ),
    };
  }

  get isWaiting(): boolean {
    return this.stop !== undefined;
  }

  giveUp(error: HatiError): void {
    this.stop?.(error);
  }
}

function priorityOf(wanted: string | undefined): Priority {
  return priorities.find((each) => each === wanted) ?? 'normal';
}
