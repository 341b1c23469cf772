import type { HatiError } from '../errors.ts';
import type { UpstreamSession } from '../engine/upstream.ts';
import { mayChange, type Limits } from '../policy/authority.ts';
import { searchableSchemas } from '../policy/relations.ts';
import { judgeSetting } from '../policy/settings.ts';
import type { Principal } from '../ports.ts';
import { quoteIdentifier } from '../sql/quote.ts';
import { redactSecrets } from '../shared/redact.ts';

/** NAMEDATALEN - 1: what PostgreSQL keeps of an application name. */
const longestApplicationName = 63;

/** The agent comes first, so that PostgreSQL's truncation never loses it. */
export function engineApplicationName(agent: string, client: string | undefined): string {
  const whole = client === undefined || client === '' ? `hati:${agent}` : `hati:${agent} ${client}`;
  // PostgreSQL keeps printable ASCII only.
  // What a client puts here is seen by others: its key must not be.
  return redactSecrets(whole.replace(/[^\x20-\x7e]/g, '?')).slice(0, longestApplicationName);
}

/**
 * What a readonly session begins with, before the client's own wishes. It may set them within the ceilings of
 * `policy/settings.ts`, not to nothing: a forgotten read must not run, or hold its locks, for ever.
 */
const readonlyDefaults = [
  ['statement_timeout', '300000'],
  ['idle_in_transaction_session_timeout', '600000'],
] as const;

function limitedPath(limits: Limits): readonly [string, string] {
  return ['search_path', searchableSchemas(limits).map(quoteIdentifier).join(', ')];
}

/**
 * In place of the agent on connections whose statements could not ask for it (`policy/blind.ts`): no key may have so long a name, and
 * it is not NULL, as it is for connections that don't come through HatiData.
 */
export const noAgent =
  'no agent: a fast lane of HatiData, for statements that could not tell which agent runs them';
/** What the engine's operator sees of such a connection. */
export const laneApplicationName = 'hati lane';

/**
 * How a connection begins that is like those of `start`, but for no agent. Where a table has got row policies that are not known here yet,
 * the engine refuses to read it there, instead of leaving out rows.
 */
export function withoutAgent({ settings }: UpstreamSession): UpstreamSession {
  return {
    applicationName: laneApplicationName,
    settings: [
      ...settings.filter(([name]) => name !== agentSetting && name !== scopeSetting),
      [agentSetting, noAgent],
      ['row_security', 'off'],
    ],
  };
}

const agentSetting = 'hatidata.agent_id';
const scopeSetting = 'hatidata.scope';

/** The agent of a connection that began so. */
export function agentOf({ settings }: UpstreamSession): string | undefined {
  const agent = new Map(settings).get(agentSetting);
  return agent === noAgent ? undefined : agent;
}

export interface ClientSettings {
  readonly applicationName: string | undefined;
  /** Settings of the startup packet and its `options`, names lower case. */
  readonly settings: readonly (readonly [name: string, value: string])[];
}

export interface EngineSession {
  /** How the connection begins; alike for all sessions that may share it. */
  readonly start: UpstreamSession;
  /** What is set on it for this one. */
  readonly settings: ReadonlyMap<string, string>;
}

/** One for all that have none. */
const noSettings: ReadonlyMap<string, string> = new Map();

/** How a session with the engine begins for this principal, or why it can't. */
export function engineSession(
  principal: Principal,
  client: ClientSettings,
): EngineSession | HatiError {
  const { authority } = principal;
  const isReader = !mayChange(authority);
  for (const [name, value] of client.settings) {
    const refusal = judgeSetting(authority, {
      operation: 'set',
      name,
      values: [value],
      local: false,
      target: 'session',
    });
    if (refusal !== undefined) return refusal;
  }
  const own = engineApplicationName(principal.agent, undefined);
  const name = engineApplicationName(principal.agent, client.applicationName);
  const start: UpstreamSession = {
    applicationName: own,
    // Ours come last and win. RESET and DISCARD return to them.
    settings: [
      ...(isReader ? readonlyDefaults : []),
      ...(authority.limits === undefined ? [] : [limitedPath(authority.limits)]),
      ...client.settings.filter(([name]) => name !== 'client_encoding'),
      ['standard_conforming_strings', 'on'],
      ...(isReader ? ([['default_transaction_read_only', 'on']] as const) : []),
      [agentSetting, principal.agent],
      [scopeSetting, authority.scope],
    ],
  };
  return { start, settings: name === own ? noSettings : new Map([['application_name', name]]) };
}
