import { HatiError } from '../errors.ts';

/** Settings without which a text may mean something else to the engine than to us. */
const required: ReadonlyMap<string, string> = new Map([
  ['client_encoding', 'UTF8'],
  ['standard_conforming_strings', 'on'],
]);

const clamp = 'default_transaction_read_only';

/**
 * @param clamped the session began READ ONLY. A function of the owner's may have lifted that, whatever it declares.
 * @returns what must end the session when the engine reports this setting in a ParameterStatus, else undefined.
 */
export function unsafeParameter(body: Buffer, clamped: boolean): HatiError | undefined {
  const [name = '', value = ''] = body.toString('utf8').split('\0');
  const isClamp = clamped && name === clamp;
  const wanted = isClamp ? 'on' : required.get(name);
  if (wanted === undefined || wanted === value) return undefined;
  return new HatiError('engine_settings_unsafe', { params: { parameter: name, value } });
}

/** The search path, where the engine reports it (from PostgreSQL 18 on). */
export function reportedPath(body: Buffer): string | undefined {
  const [name, value] = body.toString('utf8').split('\0');
  return name === 'search_path' ? value : undefined;
}

/** The same check for all that the engine has reported. */
export function checkParameters(parameters: ReadonlyMap<string, string>, clamped: boolean): void {
  for (const [name, wanted] of required) check(name, parameters.get(name) ?? 'nothing', wanted);
  // Servers before 14 do not report it.
  if (clamped) check(clamp, parameters.get(clamp) ?? 'on', 'on');
}

function check(parameter: string, value: string, wanted: string): void {
  if (value !== wanted)
    throw new HatiError('engine_settings_unsafe', { params: { parameter, value } });
}
