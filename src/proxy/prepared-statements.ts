import { HatiError } from '../errors.ts';
import { isUnrestricted, type Authority } from '../policy/authority.ts';
import { authorize } from '../policy/authorize.ts';
import { numberOf, type Catalogue } from '../policy/catalogue.ts';
import { authorizeSettingNames } from '../policy/settings.ts';
import { authorizeParameterTypes } from '../policy/types.ts';
import { SeldomMap } from '../shared/seldom.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import { decodeBind } from '../wire/decode.ts';
import type { SearchedSchemas } from './searched-schemas.ts';

export interface PreparedStatementsParts {
  readonly authority: Authority;
  readonly catalogue: () => Catalogue;
  readonly searched: SearchedSchemas;
  /** The client has prepared something under that name. */
  readonly isPrepared: (name: string) => boolean;
}

/** What a statement was judged by, so that it can be judged again. */
interface Judged {
  readonly classified: ClassifiedText;
  readonly parameterTypes: readonly number[];
}

/** All that a judgement stands on, beside the key. */
interface Grounds {
  /** By its number. */
  readonly catalogue: number;
  readonly searched: ReadonlySet<string> | undefined;
}

/** What a name, or a portal, stands for. */
export interface Entry {
  /** All that may be behind it: the last that the engine confirmed, and what was sent since. */
  judged: readonly Judged[];
  grounds: Grounds;
}

/** Rough memory of what is remembered for one session. */
const mostBytes = 8 * 1024 * 1024;

/** Of one name, that may be behind it until the engine has answered. */
const mostPending = 64;

/** What the engine made of a message: called once it is known. */
export type Settle = (done: boolean) => void;

/**
 * Prepared statements of a session, by the names that SQL and the protocol share. PostgreSQL plans them anew when a
 * function is replaced or the search path changes, so what was acceptable at Parse may no longer be at Bind or EXECUTE:
 * then it is judged again.
 */
export class PreparedStatements {
  /** False for a key whose statements are not judged by what they touch. */
  readonly areJudged: boolean;
  private readonly parts: PreparedStatementsParts;
  private readonly entries = new SeldomMap<string, Entry>();
  private bytes = 0;

  constructor(parts: PreparedStatementsParts) {
    this.parts = parts;
    this.areJudged = !isUnrestricted(parts.authority);
  }

  /** The text is about to run; it may PREPARE. */
  running(classified: ClassifiedText): void {
    if (!this.areJudged || !classified.names) return;
    // Whether it will come to be is not known here, so what was behind the name before stays as well.
    for (const name of classified.statements.flatMap(({ prepared }) => prepared)) {
      const known = this.entries.get(name)?.judged ?? [];
      if (!known.some((each) => each.classified === classified))
        this.add(name, { classified, parameterTypes: [] });
    }
  }

  /** So much was sent for this name that answers have to be waited for. */
  isCrowded(name: string): boolean {
    return (this.entries.get(name)?.judged.length ?? 0) >= mostPending;
  }

  /** A Parse is on its way. */
  parsed(name: string, judged: Judged): Settle {
    if (!this.areJudged || this.isAgain(name, judged)) return settlesNothing;
    this.add(name, judged);
    return (done) =>
      this.change(name, (all) => {
        const at = all.indexOf(judged);
        if (at === -1) return all;
        return done ? all.slice(at) : all.toSpliced(at, 1);
      });
  }

  /** A Close is on its way. */
  closed(name: string): Settle {
    const before = this.entries.get(name)?.judged ?? [];
    return (done) => {
      if (done) this.change(name, (all) => all.filter((each) => !before.includes(each)));
    };
  }

  /** The refusal, if what is behind the name may no longer run. */
  recheck(name: string): HatiError | undefined {
    if (!this.areJudged) return undefined;
    const entry = this.entries.get(name);
    if (entry !== undefined) return this.recheckEntry(entry);
    // The engine's to refuse, unless it is one that we had to forget and can't judge again.
    if (!this.parts.isPrepared(name)) return undefined;
    return new HatiError('prepared_statement_forgotten', { params: { name } });
  }

  /** The same for SQL's EXECUTE, which gives it values that are not seen as such. */
  recheckExecuted(name: string): HatiError | undefined {
    const values = this.settingParameters(name).map(() => undefined);
    return this.recheck(name) ?? authorizeSettingNames(this.parts.authority, values);
  }

  /** What a portal that is made of it now will be judged by; undefined where that need not be. */
  entryOf(name: string): Entry | undefined {
    const entry = this.areJudged ? this.entries.get(name) : undefined;
    return entry && { ...entry };
  }

  /** As `recheck`. */
  recheckEntry(entry: Entry): HatiError | undefined {
    const grounds = this.grounds();
    if (areSame(entry.grounds, grounds)) return undefined;
    const { authority } = this.parts;
    const catalogue = this.parts.catalogue();
    for (const { classified, parameterTypes } of entry.judged) {
      const refusal =
        authorize(authority, classified, catalogue, grounds.searched) ??
        authorizeParameterTypes(authority, parameterTypes, catalogue);
      if (refusal !== undefined) return refusal;
    }
    entry.grounds = grounds;
    return undefined;
  }

  /** Values that a Bind gives to names of settings. */
  checkValues(name: string, bind: Buffer): HatiError | undefined {
    const numbers = this.settingParameters(name);
    if (numbers.length === 0) return undefined;
    const { parameters } = decodeBind(bind);
    // Text and binary are the same bytes for text.
    const names = numbers.map((number) => parameters[number - 1]?.toString('utf8') ?? null);
    return authorizeSettingNames(this.parts.authority, names);
  }

  private settingParameters(name: string): readonly number[] {
    const judged = this.entries.get(name)?.judged;
    if (judged === undefined || !judged.some(takesSettings)) return none;
    return judged.flatMap(({ classified }) =>
      classified.statements.flatMap((statement) => statement.settingParameters),
    );
  }

  /** What is behind the name would be the same, whether this comes to be or not. */
  private isAgain(name: string, { classified, parameterTypes }: Judged): boolean {
    const entry = this.entries.get(name);
    const only = entry?.judged.length === 1 ? entry.judged[0] : undefined;
    if (entry === undefined || only === undefined) return false;
    if (only.classified !== classified) return false;
    if (only.parameterTypes.length + parameterTypes.length > 0) return false;
    // Away from what is forgotten first.
    this.entries.delete(name);
    this.entries.set(name, entry);
    return true;
  }

  private add(name: string, judged: Judged): void {
    const before = this.entries.get(name);
    // Moved to the end, away from what is forgotten first. Its grounds are still those of its oldest part.
    this.entries.delete(name);
    this.entries.set(name, {
      judged: [...(before?.judged ?? []), judged],
      grounds: before?.grounds ?? this.grounds(),
    });
    this.bytes += judged.classified.bytes;
    for (const oldest of this.entries.keys()) {
      if (this.bytes <= mostBytes || oldest === name) break;
      this.change(oldest, () => []);
    }
  }

  private change(name: string, next: (all: readonly Judged[]) => readonly Judged[]): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    this.bytes -= sizeOf(entry.judged);
    entry.judged = next(entry.judged);
    this.bytes += sizeOf(entry.judged);
    if (entry.judged.length === 0) this.entries.delete(name);
  }

  private grounds(): Grounds {
    const catalogue = this.parts.catalogue();
    return { catalogue: numberOf(catalogue), searched: this.parts.searched.within(catalogue) };
  }
}

const settlesNothing: Settle = () => undefined;
const none: readonly number[] = [];

function takesSettings({ classified }: Judged): boolean {
  return classified.statements.some(({ settingParameters }) => settingParameters.length > 0);
}

function areSame(one: Grounds, other: Grounds): boolean {
  return one.catalogue === other.catalogue && one.searched === other.searched;
}

function sizeOf(judged: readonly Judged[]): number {
  return judged.reduce((sum, { classified }) => sum + classified.bytes, 0);
}
