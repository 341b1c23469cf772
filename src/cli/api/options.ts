import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { ApiOptions } from './server.ts';

export interface InOrg extends ApiOptions {
  readonly org?: string;
}

export interface InEnv extends InOrg {
  readonly env?: string;
}

export interface Confirmed {
  readonly yes?: true;
}

/** @param otherwise as whom, without a key */
export function withApi(command: Command, otherwise = 'who has logged in'): Command {
  return command
    .option(
      '--url <url>',
      'the control plane, or HATIDATA_API_URL (default: that of the session, else of the project here)',
    )
    .option('--key <key>', `an API key (better: HATIDATA_API_KEY); without it, as ${otherwise}`)
    .option('--json', 'as JSON: what the API answers');
}

export function inOrg(command: Command, otherwise?: string): Command {
  return withApi(command, otherwise).option(
    '--org <id or slug>',
    'the organization (default: the one of the login)',
  );
}

export function confirmed(command: Command): Command {
  return command.option('--yes', 'do not ask');
}

export function repeatable(flags: string, description: string): Option {
  return new Option(flags, description)
    .default([] as readonly string[], 'none')
    .argParser((value: string, before: readonly string[]) => [...before, value]);
}

export function wholeNumber(flags: string, description: string): Option {
  return new Option(flags, description).argParser((value: string) => {
    if (/^\d{1,9}$/.test(value)) return Number(value);
    throw new InvalidArgumentError('It must be a whole number.');
  });
}

/** `on` or `off`. */
export function toggle(flags: string, description: string): Option {
  return new Option(flags, description).choices(['on', 'off']);
}

export function isOn(value: 'on' | 'off' | undefined): boolean | undefined {
  return value === undefined ? undefined : value === 'on';
}

/** Undefined where none of them was given. */
export function given<T extends object>(fields: T): T | undefined {
  return Object.values(fields).some((value) => value !== undefined) ? fields : undefined;
}
