/** What stands between pgbench and the engine. Clients reach each of them over TCP on this machine. */
import { relaySystem } from './relay.ts';
import { ourSystems } from './ours.ts';
import { startPgbouncer } from './pgbouncer.ts';
import type { Engine, Role } from './engine.ts';
import type { Ending } from './ending.ts';

export const usualSystems = ['direct', 'pgbouncer', 'relay', 'ours', 'ours-unenforced'] as const;
/** `relay-bun` only where it is asked for: another runtime's sockets. */
export const systemNames = [...usualSystems, 'relay-bun'] as const;
export type SystemName = (typeof systemNames)[number];

export type Mode = 'simple' | 'extended' | 'prepared';

/** What a client logs in with. */
export interface Login {
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface System {
  /** As it is reported; in one mode it may have to be set up otherwise than in another. */
  nameIn(mode: Mode): string;
  login(access: 'read' | 'write', mode: Mode): Login;
  /** Its processes, which may have children; none for direct connections. */
  readonly pids: readonly number[];
}

export interface SystemOptions {
  /** From a proxy to the engine. */
  readonly socket: 'unix' | 'tcp';
  /** Engine connections of each of two roles, at the most. */
  readonly pool: number;
  /** Worker processes of ours. */
  readonly workers: number;
  readonly pgbouncer: string;
  readonly bun: string;
  /** Where ours writes where its time goes. */
  readonly profile: string | undefined;
  readonly signal: AbortSignal;
}

/** How a proxy reaches the engine: the host of a PostgreSQL client. */
export function engineHost(engine: Engine, { socket }: Pick<SystemOptions, 'socket'>): string {
  return socket === 'unix' ? engine.socketDirectory : '127.0.0.1';
}

export async function startSystems(
  names: readonly SystemName[],
  { engine, options, ending }: { engine: Engine; options: SystemOptions; ending: Ending },
): Promise<System[]> {
  const stage = { engine, options, ending };
  const has = (name: SystemName): boolean => names.includes(name);
  const ours = has('ours') || has('ours-unenforced') ? await ourSystems(names, stage) : [];
  return [
    ...(has('direct') ? [directSystem(engine)] : []),
    ...(has('pgbouncer') ? [await startPgbouncer(stage)] : []),
    ...(has('relay') ? [await relaySystem('relay', stage)] : []),
    ...(has('relay-bun') ? [await relaySystem('relay-bun', stage)] : []),
    ...ours,
  ];
}

export type SystemStage = Parameters<typeof startSystems>[1];

function directSystem(engine: Engine): System {
  return {
    nameIn: () => 'direct',
    login: (access) => engineLogin(engine, access, engine.port),
    pids: [],
  };
}

/** As the engine's own role, which is what our keys become. */
export function engineLogin(engine: Engine, access: 'read' | 'write', port: number): Login {
  const { name, password }: Role = access === 'read' ? engine.reader : engine.writer;
  return { port, user: name, password, database: engine.database };
}
