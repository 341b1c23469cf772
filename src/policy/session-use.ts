import type { ActClass, ClassifiedText, SessionEffect, Statement } from '../sql/statement.ts';
import { named, type Surroundings, type UserFunction } from './catalogue.ts';

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
  /** It names prepared statements: EXECUTE, DEALLOCATE. */
  readonly namesPrepared: boolean;
  /** Code may have run that nobody reads from outside: triggers, defaults, functions of the user's. */
  readonly taints: boolean;
}

export type PinReason = (typeof pinReasons)[number];
export const pinReasons = [
  'temporaryTable',
  'preparedStatement',
  'cursorWithHold',
  'listen',
  'advisoryLock',
  'code',
  'setting',
  'session',
] as const;

export interface Pin {
  readonly reason: PinReason;
  /** For people: what did it. */
  readonly detail: string;
}

const nothing: SessionUse = {
  pins: [],
  settings: [],
  resetsSettings: false,
  endsPrepared: false,
  endsState: false,
  namesPrepared: false,
  taints: false,
};

/** Memo on the text: by what it was worked out last. */
interface Worked extends Surroundings {
  readonly use: SessionUse;
}

export function sessionUse(text: ClassifiedText, around: Surroundings): SessionUse {
  const known = text.sessionUse as Worked | undefined;
  if (known?.catalogue === around.catalogue && known.searched === around.searched) return known.use;
  const use = combined(text.statements.map((statement) => useOf(statement, around)));
  text.sessionUse = { ...around, use };
  return use;
}

function combined(uses: readonly SessionUse[]): SessionUse {
  const [only] = uses;
  if (only === undefined) return nothing;
  if (uses.length === 1) return only;
  return {
    pins: uses.flatMap(({ pins }) => pins),
    settings: uses.flatMap(({ settings }) => settings),
    resetsSettings: uses.some((use) => use.resetsSettings),
    endsPrepared: uses.some((use) => use.endsPrepared),
    // Only by itself; PostgreSQL refuses it among others.
    endsState: false,
    namesPrepared: uses.some((use) => use.namesPrepared),
    taints: uses.some((use) => use.taints),
  };
}

/** They leave nothing but what `effects` and `settings` say. */
const harmless: ReadonlySet<ActClass> = new Set<ActClass>([
  ...(['read', 'transaction', 'transactionReadWrite', 'object', 'setting', 'reset'] as const),
  ...(['unlisten', 'lock', 'readLock'] as const),
]);

function useOf(statement: Statement, around: Surroundings): SessionUse {
  const { acts, effects, functions, operators, settings } = statement;
  const isHarmless = acts.every((act) => harmless.has(act.class));
  const isPlain =
    effects.length === 0 &&
    settings.length === 0 &&
    functions.length === 0 &&
    operators.length === 0 &&
    statement.executed.length === 0 &&
    statement.deallocated.length === 0 &&
    isHarmless;
  if (isPlain) return nothing;
  const code = userCode(statement, around);
  const changes = settings.filter(
    ({ operation, target, local }) => operation !== 'show' && target === 'session' && !local,
  );
  return {
    pins: [
      ...effects.flatMap((effect) => pinOf(effect, acts[0]?.verb ?? statement.node)),
      ...(code?.isUnknown === true ? [{ reason: 'code', detail: code.name } as const] : []),
      ...changes
        .filter(({ name }) => name === undefined)
        .map((): Pin => ({ reason: 'setting', detail: 'a setting of a computed name' })),
    ],
    settings: [
      ...changes.flatMap(({ name }) => (name === undefined ? [] : [name])),
      ...(acts.some(({ verb }) => verb.startsWith('SET SESSION CHARACTERISTICS'))
        ? characteristics
        : []),
    ],
    resetsSettings: effects.includes('resetsSettings'),
    endsPrepared: effects.includes('endsPrepared'),
    endsState: effects.includes('endsState'),
    namesPrepared: statement.executed.length + statement.deallocated.length > 0,
    taints: code !== undefined || !isHarmless,
  };
}

const characteristics = [
  'default_transaction_isolation',
  'default_transaction_read_only',
  'default_transaction_deferrable',
];

const pinning: Readonly<Partial<Record<SessionEffect, PinReason>>> = {
  temporaryTable: 'temporaryTable',
  preparedStatement: 'preparedStatement',
  cursorWithHold: 'cursorWithHold',
  listen: 'listen',
  advisoryLock: 'advisoryLock',
  opaque: 'code',
};

function pinOf(effect: SessionEffect, verb: string): readonly Pin[] {
  const reason = pinning[effect];
  return reason === undefined ? [] : [{ reason, detail: verb }];
}

/** A function of the user's that it calls; one that may do anything to its session before all others. */
function userCode(
  { functions, operators }: Statement,
  { catalogue, searched }: Surroundings,
): { readonly name: string; readonly isUnknown: boolean } | undefined {
  const called: UserFunction[] = operators.flatMap((ref) =>
    named(catalogue.operators, ref, searched).flatMap(({ runs }) => runs),
  );
  for (const ref of functions) {
    const candidates = named(catalogue.functions, ref, searched);
    called.push(...candidates);
    // It may have been made a moment ago.
    const isBuiltin =
      ref.schema === 'pg_catalog' ||
      ref.schema === 'information_schema' ||
      (ref.schema === undefined && catalogue.builtinNames.has(ref.name));
    if (candidates.length === 0 && !isBuiltin) return { name: ref.name, isUnknown: true };
  }
  const worst = called.find(({ trust }) => trust === 'none') ?? called.find(isOwners);
  return worst && { name: worst.path, isUnknown: worst.trust === 'none' };
}

/** What somebody reviewed only computes. */
function isOwners({ trust }: UserFunction): boolean {
  return trust === 'owners';
}
