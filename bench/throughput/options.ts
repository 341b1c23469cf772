/** What the command line asks for. */
import { parseArgs } from 'node:util';
import { quickSystems } from './workloads.ts';
import { systemNames, usualSystems, type SystemName } from './systems.ts';

export interface BenchOptions {
  readonly quick: boolean;
  /** Which workloads, by `name/mode/clients`. */
  readonly only: RegExp | undefined;
  readonly systems: readonly SystemName[];
  readonly jsonFile: string | undefined;
  readonly rounds: number;
  readonly seconds: number;
  readonly scale: number;
  readonly pool: number;
  readonly workers: number;
  readonly socket: 'unix' | 'tcp';
  readonly pgbouncer: string;
  readonly bun: string;
  /** Where ours writes profiles, which slows it. */
  readonly profile: string | undefined;
}

export const usage = `usage: npm run bench -- [--quick] [--only PATTERN] [--systems ${systemNames.join(',')}] [--json FILE]
  [--rounds N] [--seconds N] [--scale N] [--pool N] [--workers N] [--socket unix|tcp] [--pgbouncer PATH] [--bun PATH] [--profile DIRECTORY]`;

/** @throws {Error} with what is wrong. */
export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      systems: { type: 'string' },
      json: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      scale: { type: 'string', default: '10' },
      pool: { type: 'string', default: '20' },
      workers: { type: 'string', default: '1' },
      socket: { type: 'string', default: 'unix' },
      pgbouncer: { type: 'string', default: 'pgbouncer' },
      bun: { type: 'string', default: 'bun' },
      profile: { type: 'string' },
    },
  });
  const { quick, only, socket } = values;
  if (socket !== 'unix' && socket !== 'tcp')
    throw new Error(`--socket ${socket} is not unix or tcp`);
  return {
    quick,
    only: only === undefined ? undefined : new RegExp(only),
    systems: systemsOf(values.systems) ?? (quick ? quickSystems : usualSystems),
    jsonFile: values.json,
    rounds: count('rounds', values.rounds ?? (quick ? '3' : '5')),
    seconds: count('seconds', values.seconds ?? (quick ? '2' : '4')),
    scale: count('scale', values.scale),
    pool: count('pool', values.pool),
    workers: count('workers', values.workers),
    socket,
    pgbouncer: values.pgbouncer,
    bun: values.bun,
    profile: values.profile,
  };
}

function systemsOf(text: string | undefined): SystemName[] | undefined {
  return text?.split(',').map((name) => {
    const known = systemNames.find((each) => each === name);
    if (known === undefined) throw new Error(`there is no system ${name}`);
    return known;
  });
}

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1)
    throw new Error(`--${name} ${text} is not a number from 1`);
  return value;
}
