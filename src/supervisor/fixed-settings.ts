import type { Config } from '../config.ts';
import { needsEmbedded } from '../serve/foundation.ts';

/** Settings of what outlives the workers. By their names in config.toml, those that differ. */
export function changedFixedSettings(running: Config, wanted: Config): readonly string[] {
  const values = (config: Config): Readonly<Record<string, unknown>> => ({
    'proxy.listen': config.listen,
    'metrics.enabled': config.metrics !== undefined,
    ...(running.metrics && wanted.metrics ? { 'metrics.listen': config.metrics } : {}),
    // Whether the database is the embedded one, not which other it is.
    'engine.url': config.engine.kind,
    ...(running.engine.kind === wanted.engine.kind
      ? { 'control.database_url': needsEmbedded(config) }
      : {}),
    'engine.user': config.engine.kind === 'embedded' ? config.engine.user : undefined,
    'log.pretty': config.log.pretty,
  });
  const after = values(wanted);
  return Object.entries(values(running))
    .filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(after[name]))
    .map(([name]) => name);
}
