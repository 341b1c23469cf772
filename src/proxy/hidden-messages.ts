import { newEngineStatement } from '../engine/pool/engine-statement.ts';
import type { EngineLink } from '../engine/pool/link.ts';
import {
  bind,
  closePortal,
  closeStatement,
  execute,
  parse,
  sync,
  type ParseMessage,
} from '../wire/frontend-messages.ts';
import type { Preparation } from './client-statements.ts';
import { disguise } from './parse-settings.ts';
import { nothing } from './expected.ts';
import type { InForce } from './session-state.ts';
import type { Turns } from './turns.ts';

/** Whose Sync ends them: the client's, or (apart) one of ours. */
export interface Hiding {
  readonly isApart?: boolean;
}

/**
 * Messages of our own among those of the client, who gets none of their answers but an error, which is then the answer to what
 * they were sent for.
 */
export class HiddenMessages {
  private readonly turns: Turns;
  private readonly preparation: (link: EngineLink) => Preparation;

  /** @param preparation what a statement is prepared under just now */
  constructor(turns: Turns, preparation: (link: EngineLink) => Preparation) {
    this.turns = turns;
    this.preparation = preparation;
  }

  parse(message: ParseMessage, how: Hiding): void {
    this.turns.forward(parse(message), { of: 'parse', shows: nothing, ...how });
  }

  /** @param settle told whether the engine did it */
  close(statement: string, settle?: (done: boolean) => void): void {
    const hidden = { of: 'close', shows: nothing } as const;
    this.turns.forward(closeStatement(statement), settle ? { ...hidden, settle } : hidden);
  }

  sync(): void {
    this.turns.forward(sync, { of: 'sync', shows: nothing });
  }

  /**
   * A statement keeps what its constants meant when the client prepared it.
   * @param under undefined: as it is
   * @param prepare sends the Parse
   */
  preparing(link: EngineLink, under: InForce | undefined, how: Hiding, prepare: () => void): void {
    const { inForce } = this.preparation(link);
    const wanted = under === inForce ? undefined : under?.settings;
    const around = wanted && disguise(wanted, inForce?.settings);
    if (around !== undefined) this.command(around[0], how);
    prepare();
    if (around !== undefined) this.command(around[1], how);
  }

  private command(text: string, how: Hiding): void {
    const { name, parse: message } = newEngineStatement({ text, parameterTypes: [] });
    const hidden = { shows: nothing, ...how };
    this.turns.forward(message, { of: 'parse', ...hidden });
    this.turns.forward(bind(name, name), { of: 'bind', ...hidden });
    // The portal needs it no more, and an error in what follows would leave it behind.
    this.turns.forward(closeStatement(name), { of: 'close', ...hidden });
    this.turns.forward(execute(name), { of: 'execute', ...hidden });
    this.turns.forward(closePortal(name), { of: 'close', ...hidden });
  }
}
