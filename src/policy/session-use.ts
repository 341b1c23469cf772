import { isBlind } from './blind.ts';
import { builtinFunctions, informationSchemaFunctions } from './builtin-functions.ts';
import {
  ddlVerb,
  type ActClass,
  type ClassifiedText,
  type FunctionRef,
  type Statement,
} from '../sql/statement.ts';
import {
  named,
  numberOf,
  type Catalogue,
  type Surroundings,
  type UserFunction,
  type UserRelation,
} from './catalogue.ts';
import { pinOf, pinOfSetting, type Pin } from './pins.ts';

export type { Pin, PinReason } from './pins.ts';

/**
 * What running a text may leave behind in a session with the engine, and so what sharing engine connections has to do about
 * it: carry it along (settings), clean it away before somebody else comes, or keep the connection for this client (a pin).
 */
export interface SessionUse {
  readonly pins: readonly Pin[];
  /** Names of settings that may have other values afterwards. */
  readonly settings: readonly string[];
  readonly resetsSettings: boolean;
  readonly endsPrepared: boolean;
  readonly endsState: boolean;
  /** SET LOCAL: these are others until the transaction is over. */
  readonly localSettings: readonly string[];
  /** Names of prepared statements that it runs (EXECUTE), ends (DEALLOCATE), makes (PREPARE). */
  readonly executed: readonly string[];
  readonly deallocated: readonly string[];
  readonly prepared: readonly string[];
  /** Names of cursors that it makes (DECLARE) and runs (FETCH, MOVE). */
  readonly declared: readonly string[];
  readonly fetched: readonly string[];
  /** COPY … FROM STDIN: the engine will ask for data. */
  readonly copiesIn: boolean;
  /** Definitions: tables may look otherwise afterwards. */
  readonly defines: boolean;
  /** What has to be cleaned away before somebody else comes. */
  readonly leaves: Leaving;
}

/**
 * - `sequences`: what currval and lastval know;
 * - `code`: anything, because code may have run that nobody reads from outside: triggers, defaults, functions of the user's.
 */
export type Leaving = 'nothing' | 'sequences' | 'code';

export function worse(one: Leaving, other: Leaving): Leaving {
  if (one === 'code' || other === 'code') return 'code';
  return one === 'sequences' ? one : other;
}

const nothing: SessionUse = {
  pins: [],
  settings: [],
  resetsSettings: false,
  endsPrepared: false,
  endsState: false,
  localSettings: [],
  executed: [],
  deallocated: [],
  prepared: [],
  declared: [],
  fetched: [],
  copiesIn: false,
  defines: false,
  leaves: 'nothing',
};

/** The same of what could not tell either which agent runs it; see `blind.ts`. */
const nothingBlindly: SessionUse = { ...nothing };

/** It needs nothing of its session but what that began with, and changes nothing there. */
export function leavesNothing(use: SessionUse): boolean {
  return use === nothing || use === nothingBlindly;
}

/** It needs not even the agent. */
export function isBlindly(use: SessionUse): boolean {
  return use === nothingBlindly;
}

/** Memo on the text: by what it was worked out last. */
interface Worked {
  /** By its number. */
  readonly catalogue: number;
  readonly searched: ReadonlySet<string> | undefined;
  readonly use: SessionUse;
}

export function sessionUse(text: ClassifiedText, around: Surroundings): SessionUse {
  const known = text.sessionUse as Worked | undefined;
  const catalogue = numberOf(around.catalogue);
  const { searched } = around;
  if (known?.catalogue === catalogue && known.searched === searched) return known.use;
  const use = combined(text.statements.map((statement) => useOf(statement, around)));
  text.sessionUse = { catalogue, searched, use };
  return use;
}

export function combined(uses: readonly SessionUse[]): SessionUse {
  const [only] = uses;
  if (only === undefined) return nothing;
  if (uses.length === 1) return only;
  const any = (of: (use: SessionUse) => boolean): boolean => uses.some(of);
  return {
    pins: uses.flatMap(({ pins }) => pins),
    settings: uses.flatMap(({ settings }) => settings),
    localSettings: uses.flatMap(({ localSettings }) => localSettings),
    resetsSettings: any((use) => use.resetsSettings),
    endsPrepared: any((use) => use.endsPrepared),
    // Only by itself; PostgreSQL refuses it among others.
    endsState: false,
    executed: uses.flatMap(({ executed }) => executed),
    deallocated: uses.flatMap(({ deallocated }) => deallocated),
    prepared: uses.flatMap(({ prepared }) => prepared),
    declared: uses.flatMap(({ declared }) => declared),
    fetched: uses.flatMap(({ fetched }) => fetched),
    copiesIn: any((use) => use.copiesIn),
    defines: any((use) => use.defines),
    leaves: uses.map(({ leaves }) => leaves).reduce(worse),
  };
}

/** They leave nothing but what `effects` and `settings` say. */
const harmless: ReadonlySet<ActClass> = new Set<ActClass>([
  ...(['read', 'transaction', 'transactionReadWrite', 'object', 'setting', 'reset'] as const),
  ...(['unlisten', 'lock', 'readLock'] as const),
]);

function useOf(statement: Statement, around: Surroundings): SessionUse {
  const { acts, effects, settings, executed, deallocated, fetched } = statement;
  const code = codeOf(statement, around);
  const leaves = worse(code?.leaves ?? 'nothing', leavingOf(statement, around));
  const isPlain =
    leaves === 'nothing' &&
    effects.length + settings.length === 0 &&
    executed.length + deallocated.length + fetched.length === 0;
  if (isPlain) return isBlind(statement, around) ? nothingBlindly : nothing;
  const changes = settings.filter(
    ({ operation, target, local }) => operation !== 'show' && target === 'session' && !local,
  );
  return {
    pins: [
      ...effects.flatMap((effect) => pinOf(effect, acts[0]?.verb ?? statement.node)),
      ...(code?.isUnknown === true
        ? [{ reason: code.name === seeding ? 'seed' : 'code', detail: code.name } as const]
        : []),
      ...changes.flatMap(pinOfSetting),
    ],
    settings: [
      ...changes.flatMap(({ name }) => (name === undefined ? [] : [name])),
      ...(acts.some(({ verb }) => verb.startsWith('SET SESSION CHARACTERISTICS'))
        ? characteristics
        : []),
    ],
    localSettings: settings.flatMap(({ operation, local, name }) =>
      operation !== 'show' && local ? [name ?? anySetting] : [],
    ),
    resetsSettings: effects.includes('resetsSettings'),
    endsPrepared: effects.includes('endsPrepared'),
    endsState: effects.includes('endsState'),
    executed,
    deallocated,
    prepared: statement.prepared,
    declared: statement.declared,
    fetched,
    copiesIn: effects.includes('copyIn'),
    // Of a temporary table only its own session knows, and that keeps its connection.
    defines:
      !effects.includes('temporaryTable') &&
      acts.some(({ verb, class: kind }) => verb === ddlVerb || kind === 'routine'),
    leaves,
  };
}

/** Of what it does beside the code that it names. */
function leavingOf({ acts, relations }: Statement, around: Surroundings): Leaving {
  let worst: Leaving = 'nothing';
  for (const act of acts) {
    if (harmless.has(act.class)) continue;
    if (act.class !== 'write') return 'code';
    for (const ref of relations) {
      const meant = named(around.catalogue.relations, ref, around.searched);
      // It may have been made a moment ago.
      if (meant.length === 0) return 'code';
      for (const { writes } of meant)
        worst = worse(worst, writes === 'plainly' ? 'nothing' : writes);
    }
  }
  return worst;
}

/** In place of a name that is computed. */
export const anySetting = '*';

const characteristics = [
  'default_transaction_isolation',
  'default_transaction_read_only',
  'default_transaction_deferrable',
];

/** What a statement runs that is not PostgreSQL's own. */
interface Code {
  readonly name: string;
  readonly leaves: Exclude<Leaving, 'nothing'>;
  /** It may do anything to its session, and what it did may be wanted there. */
  readonly isUnknown: boolean;
}

/** PostgreSQL's own that leave something behind which only their session may see. */
const remembering: ReadonlySet<string> = new Set(['nextval', 'setval', 'currval', 'lastval']);
const seeding = 'setseed';

/** The worst of what it runs: calls, operators, and what views, row policies, conversions and columns stand for. */
function codeOf(statement: Statement, around: Surroundings): Code | undefined {
  let worst: Code | undefined;
  const note = (code: Code | undefined): void => {
    if (code !== undefined && (worst === undefined || gravity(code) > gravity(worst))) worst = code;
  };
  for (const ref of statement.functions) note(codeOfCall(ref, around));
  const { catalogue, searched } = around;
  for (const ref of statement.operators)
    for (const { runs } of named(catalogue.operators, ref, searched)) note(codeOfAll(runs));
  for (const ref of statement.relations)
    for (const relation of named(catalogue.relations, ref, searched))
      note(codeOfReading(relation, catalogue));
  for (const ref of statement.types)
    if (named(catalogue.types, ref, searched).length > 0)
      note({ name: ref.name, leaves: 'code', isUnknown: false });
  for (const name of statement.fieldNames) {
    const ref = { schema: undefined, name };
    note(codeOfAll(named(catalogue.functions, ref, searched).filter(({ takesOne }) => takesOne)));
  }
  return worst;
}

function gravity({ leaves, isUnknown }: Code): number {
  if (isUnknown) return 2;
  return leaves === 'code' ? 1 : 0;
}

function codeOfCall(ref: FunctionRef, { catalogue, searched }: Surroundings): Code | undefined {
  const { schema, name } = ref;
  if (name === seeding) return { name, leaves: 'code', isUnknown: true };
  if (remembering.has(name)) return { name, leaves: 'sequences', isUnknown: false };
  const candidates = named(catalogue.functions, ref, searched);
  const isBuiltin =
    schema === 'pg_catalog' ||
    schema === 'information_schema' ||
    (schema === undefined && catalogue.builtinNames.has(name));
  // It may have been made a moment ago.
  if (candidates.length === 0 && !isBuiltin) return { name, leaves: 'code', isUnknown: true };
  // Some run SQL that is in a string, or hold locks.
  if (isBuiltin && !builtinFunctions.has(name) && !informationSchemaFunctions.has(name))
    return { name, leaves: 'code', isUnknown: false };
  return codeOfAll(candidates);
}

/** Reading a view runs what is in there; what that leaves behind is cleaned away, like that of a trigger. */
function codeOfReading(relation: UserRelation, catalogue: Catalogue): Code | undefined {
  const { schema, view, runs, converts, reads, guards } = relation;
  const isPlain =
    guards === 'plainly' &&
    converts === undefined &&
    !runs.some(isNotReviewed) &&
    (view === undefined || isPlainView(view, catalogue)) &&
    reads.every((each) => codeOfReading(each, catalogue) === undefined);
  return isPlain ? undefined : { name: schema, leaves: 'code', isUnknown: false };
}

function isPlainView(view: Statement | 'unreadable', catalogue: Catalogue): boolean {
  if (view === 'unreadable' || view.effects.length > 0) return false;
  if (view.settings.some(({ operation }) => operation !== 'show')) return false;
  // What PostgreSQL prints of a view has a schema wherever pg_catalog is not meant.
  return codeOf(view, { catalogue, searched: new Set() }) === undefined;
}

function codeOfAll(functions: readonly UserFunction[]): Code | undefined {
  const worst = functions.find(({ trust }) => trust === 'none') ?? functions.find(isNotReviewed);
  return worst && { name: worst.path, leaves: 'code', isUnknown: worst.trust === 'none' };
}

/** What somebody reviewed only computes. */
function isNotReviewed({ trust }: UserFunction): boolean {
  return trust !== 'reviewed';
}
