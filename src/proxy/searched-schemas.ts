import { LRUCache } from 'lru-cache';
import { numberOf, type Catalogue } from '../policy/catalogue.ts';
import { parsePathList, truncateName } from '../sql/quote.ts';
import type { ClassifiedText, SettingChange } from '../sql/statement.ts';

/**
 * Every schema that the search path of a session may have held since it began: what it can begin with, and what the client
 * put there. It only grows: a value that a rollback or RESET took back may come back as well. Names are looked up in all of
 * them, which is at least where PostgreSQL looks.
 */
export class SearchedSchemas {
  /** Replaced, never changed: most sessions begin with the same. */
  private named: ReadonlySet<string>;
  private whole: { readonly of: number; readonly schemas: ReadonlySet<string> } | undefined;

  /**
   * @param settings of the startup packet.
   * @param reported what the engine says of its path, if it does.
   */
  constructor(
    settings: readonly (readonly [name: string, value: string])[],
    reported: string | undefined,
  ) {
    const values = settings.filter(([name]) => name === 'search_path').map(([, value]) => value);
    if (reported !== undefined) values.push(reported);
    this.named = beginningWith(values);
  }

  within(catalogue: Catalogue): ReadonlySet<string> {
    const number = numberOf(catalogue);
    if (this.whole?.of !== number) {
      const usual = byDefault(catalogue);
      const isUsual = [...this.named].every((name) => usual.has(name));
      this.whole = {
        of: number,
        schemas: isUsual ? usual : widened(catalogue, this.named),
      };
    }
    return this.whole.schemas;
  }

  /** The same once the text has run. */
  after(text: ClassifiedText, catalogue: Catalogue): ReadonlySet<string> {
    const added = addedBy(text);
    const before = this.within(catalogue);
    if (added.every((name) => before.has(name))) return before;
    return widened(catalogue, [...this.named, ...added]);
  }

  /** The text may run from now on. */
  add(text: ClassifiedText): void {
    this.addNames(addedBy(text));
  }

  /** PostgreSQL 18 reports its path whenever it changes, also by code inside. */
  addReported(value: string): void {
    this.addNames(schemasOf(value));
  }

  private addNames(names: readonly string[]): void {
    if (names.every((name) => this.named.has(name))) return;
    this.named = new Set([...this.named, ...names]);
    this.whole = undefined;
  }
}

function beginningWith(paths: readonly string[]): ReadonlySet<string> {
  const key = paths.join('\0');
  const known = beginnings.get(key);
  if (known !== undefined) return known;
  const schemas = new Set(paths.flatMap(schemasOf));
  beginnings.set(key, schemas);
  return schemas;
}

const beginnings = new LRUCache<string, ReadonlySet<string>>({ max: 1_000 });

/** `$user` is the schema named like the role, whichever that is. */
function widened(catalogue: Catalogue, names: Iterable<string>): ReadonlySet<string> {
  const all = new Set([...catalogue.defaultPath, ...names]);
  if (all.has('$user')) for (const schema of catalogue.userSchemas) all.add(schema);
  return all;
}

/** One set for all sessions that changed nothing, so that a judgement made for one holds for the others. */
function byDefault(catalogue: Catalogue): ReadonlySet<string> {
  const known = defaults.get(catalogue);
  if (known) return known;
  const schemas = widened(catalogue, []);
  defaults.set(catalogue, schemas);
  return schemas;
}

const defaults = new WeakMap<Catalogue, ReadonlySet<string>>();

function addedBy({ statements }: ClassifiedText): readonly string[] {
  return statements.flatMap(({ settings }) => settings.filter(setsPath).flatMap(valuesOf));
}

function setsPath({ operation, name, target }: SettingChange): boolean {
  return operation === 'set' && name === 'search_path' && target === 'session';
}

/** A computed value is only for keys whose statements are not judged by names. */
function valuesOf({ values }: SettingChange): readonly string[] {
  return (values ?? []).flatMap(schemasOf);
}

/** The same value is one name in SET and a list in set_config. */
function schemasOf(value: string): readonly string[] {
  return [truncateName(value), ...parsePathList(value)];
}
