import { TLSSocket } from 'node:tls';
import type { StatusRow } from '../../ports.ts';
import { redactSecrets } from '../../shared/redact.ts';
import { engineApplicationName } from '../engine-session.ts';
import type { SessionLook } from '../live-sessions.ts';

/** PostgreSQL's words for the states of a session, and two of ours. */
const states: Readonly<Record<SessionLook['state'] | 'waiting', string>> = {
  idle: 'idle',
  active: 'active',
  in_transaction: 'idle in transaction',
  failed_transaction: 'idle in transaction (aborted)',
  waiting: 'waiting',
  ending: 'ending',
};

/** One row of `_hatidata_status.clients`. */
export function clientRow(id: number, pool: string, look: SessionLook): StatusRow {
  const { actor, client, link, ride, waitingSince } = look;
  const { principal, source } = actor;
  return {
    instance: process.pid,
    client_id: id,
    principal: principal.kind === 'key' ? 'key' : 'local_administrator',
    key_id: principal.kind === 'key' ? principal.keyId : null,
    agent: redactSecrets(principal.agent),
    scope: principal.authority.scope,
    source,
    application_name: applicationName(look),
    tls: client instanceof TLSSocket ? client.getProtocol() : null,
    state: states[waitingSince === undefined ? look.state : 'waiting'],
    since: clockTime(waitingSince ?? look.since),
    connected_at: new Date(look.connectedAt).toISOString(),
    pool,
    engine_pid: (link ?? ride)?.upstream.processId ?? null,
    ...pinOf(look),
    prepared_statements: look.preparedCount,
    bytes_in: client.bytesRead,
    bytes_out: client.bytesWritten,
  };
}

function pinOf({ pins }: SessionLook): StatusRow {
  const details = [...pins.values()];
  return {
    pin_reason: pinReason(pins),
    pin_detail: details.length === 0 ? null : details.join(', '),
  };
}

/** Null for who keeps nothing. */
export function pinReason(pins: SessionLook['pins']): string | null {
  return pins.size === 0 ? null : [...pins.keys()].map(snakeCase).join(', ');
}

/** As our other words are spelt where people read them. */
export function snakeCase(word: string): string {
  return word.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The client's own part of what the engine shows. */
function applicationName({ actor, applicationName: shown = '' }: SessionLook): string {
  const own = engineApplicationName(actor.principal.agent, undefined);
  return shown.startsWith(own) ? shown.slice(own.length + 1) : shown;
}

/** @param at by `performance.now()` */
function clockTime(at: number): string {
  return new Date(performance.timeOrigin + at).toISOString();
}
