import type { EngineLink } from '../../engine/pool/link.ts';
import type { StatusRow } from '../../ports.ts';
import { agentOf } from '../engine-session.ts';
import type { SessionLook } from '../live-sessions.ts';
import { pinReason } from './clients.ts';

/** Who has a connection. */
export interface Held {
  readonly id: number;
  readonly pins: SessionLook['pins'];
}

/** What becomes of a connection just now. */
export function stateOf(
  link: EngineLink,
  idle: ReadonlySet<EngineLink>,
  held: Held | undefined,
): 'in_use' | 'pinned' | 'idle' | 'closing' {
  if (link.isRetired) return 'closing';
  if (idle.has(link)) return 'idle';
  return held !== undefined && held.pins.size > 0 ? 'pinned' : 'in_use';
}

/** One row of `_hatidata_status.servers`. */
export function serverRow(
  pool: string,
  link: EngineLink,
  { state, held }: { readonly state: string; readonly held: Held | undefined },
): StatusRow {
  const settings = new Map(link.start.settings);
  const since = state === 'idle' ? link.idleSince : link.heldSince;
  return {
    instance: process.pid,
    pool,
    engine_pid: link.upstream.processId ?? null,
    agent: agentOf(link.start) ?? null,
    scope: settings.get('hatidata.scope') ?? null,
    state,
    since: new Date(since).toISOString(),
    opened_at: new Date(link.openedAt).toISOString(),
    client_id: held?.id ?? null,
    pin_reason: held === undefined ? null : pinReason(held.pins),
    prepared_statements: link.statements.count,
    needs_cleaning: link.left !== 'nothing',
  };
}
