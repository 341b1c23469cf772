import { LRUCache } from 'lru-cache';
import { numberOf, type Catalogue } from '../policy/catalogue.ts';
import { parsePathList, truncateName } from '../sql/quote.ts';
import type { ClassifiedText, SettingChange } from '../sql/statement.ts';

/**
 * Every schema that the search path of a session may have held since it began: what it can begin with, and what the client
 * put there. It only grows: a value that a rollback or RESET took back may come back as well. Names are looked up in all of
 * them, which is at least where PostgreSQL looks; where there are very many, anywhere.
 */
export class SearchedSchemas {
  /** Replaced, never changed: most sessions begin with the same. */
  private named: ReadonlySet<string>;
  private whole: { readonly of: number; readonly schemas: ReadonlySet<string> } | undefined;
  private isAnywhere = false;

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

  /** @returns undefined for anywhere */
  within(catalogue: Catalogue): ReadonlySet<string> | undefined {
    if (this.isAnywhere) return undefined;
    const number = numberOf(catalogue);
    if (this.whole?.of !== number)
      this.whole = { of: number, schemas: shared(catalogue, this.named) };
    return this.whole.schemas;
  }

  /** The same once the text has run. */
  after(text: ClassifiedText, catalogue: Catalogue): ReadonlySet<string> | undefined {
    const before = this.within(catalogue);
    const added = addedBy(text);
    if (before === undefined || added.every((name) => before.has(name))) return before;
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
    if (this.isAnywhere || names.every((name) => this.named.has(name))) return;
    this.named = new Set([...this.named, ...names]);
    this.whole = undefined;
    if (this.named.size > mostNames) this.isAnywhere = true;
  }
}

/** Each text remembers by which it was judged: a session must not make those sets larger and larger. */
const mostNames = 200;

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

/** One set for all sessions that may look in the same schemas, so that a judgement made for one holds for the others. */
function shared(catalogue: Catalogue, names: ReadonlySet<string>): ReadonlySet<string> {
  let known = sets.get(catalogue);
  if (known === undefined) sets.set(catalogue, (known = new LRUCache({ max: mostSets })));
  const schemas = widened(catalogue, names);
  // No name holds a NUL.
  const key = [...schemas].toSorted().join('\0');
  const before = known.get(key);
  if (before !== undefined) return before;
  known.set(key, schemas);
  return schemas;
}

/** Sets of one catalogue. */
const mostSets = 256;
const sets = new WeakMap<Catalogue, LRUCache<string, ReadonlySet<string>>>();

function addedBy({ statements }: ClassifiedText): readonly string[] {
  if (!statements.some(({ settings }) => settings.length > 0)) return none;
  return statements.flatMap(({ settings }) => settings.filter(setsPath).flatMap(valuesOf));
}

const none: readonly string[] = [];

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
