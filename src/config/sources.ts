import { parse, TomlError } from 'smol-toml';
import { redactSecrets } from '../shared/redact.ts';
import { clientVariables, ignoredKeys, ignoredSections, settings } from './settings.ts';
import type { Setting } from './settings.ts';

export interface ConfigFile {
  readonly path: string;
  readonly text: string;
}

/** Flags as they were typed, by their own names. */
export type ConfigFlags = Readonly<Record<string, string | undefined>>;

export interface RawSources {
  readonly file: ConfigFile | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags: ConfigFlags;
}

type Table = Readonly<Record<string, unknown>>;

const known: readonly Setting<unknown>[] = Object.values(settings);

/** The three places a value may come from, in rising precedence; collects what is wrong with any of them. */
export class Sources {
  readonly faults: string[] = [];
  readonly warnings: string[] = [];
  private readonly raw: RawSources;
  private readonly table: Table;

  constructor(raw: RawSources) {
    this.raw = raw;
    this.table = raw.file === undefined ? {} : this.parseFile(raw.file);
    this.checkFileKeys();
    this.checkVariables();
  }

  /** The value of highest precedence. A bad value is a fault even where a better one overrides it. */
  read<T>(setting: Setting<T>): T | undefined {
    let value: T | undefined;
    for (const [source, raw] of this.candidates(setting)) {
      const read = setting.kind.read(raw);
      if (read === undefined) {
        const shown =
          setting.kind.isSecret === true ? 'the given value' : redactSecrets(JSON.stringify(raw));
        this.faults.push(`${source}: ${shown} is not ${setting.kind.expected}`);
      }
      value = read ?? value;
    }
    return value;
  }

  /** Whether any source gives it, well or badly. */
  has(setting: Setting<unknown>): boolean {
    return this.candidates(setting).length > 0;
  }

  /** Where the value in force was given, for faults that concern several settings. */
  nameOf(setting: Setting<unknown>): string {
    return this.candidates(setting).at(-1)?.[0] ?? setting.key ?? setting.flag ?? '';
  }

  private candidates(setting: Setting<unknown>): (readonly [string, unknown])[] {
    const found: (readonly [string, unknown])[] = [];
    for (const key of [setting.alias, setting.key]) {
      const value = key === undefined ? undefined : lookup(this.table, key);
      if (key !== undefined && value !== undefined) found.push([this.inFile(key), value]);
    }
    const { env, flag } = setting;
    // An empty variable counts as not set: it is what compose files and CI systems make of an absent one.
    if (env !== undefined && this.raw.env[env]) found.push([env, this.raw.env[env]]);
    if (flag !== undefined && this.raw.flags[flag] !== undefined)
      found.push([flag, this.raw.flags[flag]]);
    return found;
  }

  private inFile(key: string): string {
    return `${this.raw.file?.path ?? ''}:${key}`;
  }

  private parseFile({ path, text }: ConfigFile): Table {
    try {
      return parse(text);
    } catch (error) {
      // Only the first line: the rest quotes the file, and the file may hold a password.
      const where = error instanceof TomlError ? `${path}:${error.line}:${error.column}` : path;
      const what = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
      this.faults.push(
        `${where}: the file is not valid TOML: ${what.replace(/^Invalid TOML document: /, '')}`,
      );
      return {};
    }
  }

  private checkFileKeys(): void {
    const keys = known
      .flatMap((setting) => [setting.key, setting.alias])
      .filter((key) => key !== undefined);
    for (const [name, value] of Object.entries(this.table)) {
      const isSection = isTable(value);
      if (isSection ? ignoredSections.includes(name) : ignoredKeys.includes(name)) {
        this.warnings.push(`${this.inFile(name)} has no effect in this version`);
      } else if (isSection && keys.some((key) => key.startsWith(`${name}.`))) {
        for (const member of Object.keys(value)) this.checkKey(`${name}.${member}`, keys);
      } else {
        this.checkKey(name, keys);
      }
    }
  }

  private checkKey(key: string, keys: readonly string[]): void {
    if (keys.includes(key)) return;
    const nearest = nearestOf(key, keys);
    this.faults.push(
      `${this.inFile(key)}: there is no such setting; ` +
        (nearest === undefined ? `the settings are ${keys.join(', ')}` : `${nearest} is meant?`),
    );
  }

  /**
   * A misspelt variable is a fault, since ignoring it would start another proxy than the one that was meant. Other
   * names of our prefix are only mentioned: Kubernetes makes such variables by itself for a service named hatidata.
   */
  private checkVariables(): void {
    const names = known.map((setting) => setting.env).filter((name) => name !== undefined);
    for (const name of Object.keys(this.raw.env)) {
      if (!name.startsWith('HATIDATA_') || names.includes(name) || clientVariables.includes(name))
        continue;
      if (/^HATIDATA_(?:SERVICE|PORT)_/.test(name)) continue;
      const nearest = nearestOf(name, names);
      if (nearest === undefined)
        this.warnings.push(`${name} is set but is not a setting of this version; ignored`);
      else this.faults.push(`${name}: there is no such setting; ${nearest} is meant?`);
    }
  }
}

function isTable(value: unknown): value is Table {
  return (
    typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
  );
}

function lookup(table: Table, key: string): unknown {
  const [section = '', member = ''] = key.split('.');
  const inner = Object.hasOwn(table, section) ? table[section] : undefined;
  return isTable(inner) && Object.hasOwn(inner, member) ? inner[member] : undefined;
}

/** The known name at most two edits away. */
function nearestOf(name: string, candidates: readonly string[]): string | undefined {
  return candidates.find((candidate) => editDistance(name, candidate) <= 2);
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substitution, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? a.length;
}
