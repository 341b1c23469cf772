import { HatiError } from '../errors.ts';
import { SeldomMap } from '../shared/seldom.ts';

/**
 * The `hatidata*` parameters of a session: what a client says of itself and of the request it is working on.
 * They are never sent to the engine, and nothing here proves anything: who a session is, its key says.
 */

/** The short names that clients may use in the startup packet. */
const shortNames: ReadonlySet<string> = new Set([
  'agent_id',
  'framework',
  'request_id',
  'priority',
]);

/** Parameters that repeat the secret; they are dropped unread. */
const secretNames: ReadonlySet<string> = new Set(['hatidata_api_key']);

const mostParameters = 64;
const longestValue = 1_024;

export class SessionParameters {
  private readonly values = new SeldomMap<string, string>();

  /** @returns our name for a startup parameter that is ours, else undefined. */
  static ownStartupName(name: string): string | undefined {
    const lower = name.toLowerCase();
    if (lower.startsWith('hatidata')) return canonical(lower);
    return shortNames.has(lower) ? `hatidata_${lower}` : undefined;
  }

  get(name: string): string | undefined {
    return this.values.get(canonical(name));
  }

  set(name: string, value: string): void {
    const key = canonical(name);
    if (secretNames.has(key)) return;
    if (value.length > longestValue) {
      throw new HatiError('argument_invalid', {
        params: { message: `parameter ${key} has more than ${longestValue} characters` },
      });
    }
    if (!this.values.has(key) && this.values.size >= mostParameters) {
      throw new HatiError('argument_invalid', {
        params: { message: `a session can have at most ${mostParameters} hatidata parameters` },
      });
    }
    this.values.set(key, value);
  }

  reset(name: string): void {
    this.values.delete(canonical(name));
  }
}

/** `hatidata.environment` and `hatidata_environment` are one parameter. */
function canonical(name: string): string {
  return name.toLowerCase().replaceAll('.', '_');
}
