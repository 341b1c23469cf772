import type { Pin, PinReason, SessionUse } from '../policy/session-use.ts';
import { SeldomSet } from '../shared/seldom.ts';
import { isFollowedByPlans, isReadByParse } from './parse-settings.ts';

/**
 * What a client's session has that goes with it from one engine connection to the next, and what ties it to the one it
 * holds.
 */
export class SessionState {
  /** Settings that differ from those that a connection of its partition begins with. Replaced, never changed. */
  settings: ReadonlyMap<string, string>;
  private readonly initial: ReadonlyMap<string, string>;
  private readonly held: ReadonlyMap<PinReason, string>;
  /** Replaced, never changed. */
  private pins: ReadonlyMap<PinReason, string>;
  private readonly touched = new SeldomSet<string>();
  /** SET LOCAL: until the transaction is over. */
  private readonly local = new SeldomSet<string>();
  private defines = false;
  private reading: InForce;
  private readonly onPin: PinListener;

  /**
   * @param pins that last as long as the session.
   * @param onPin told of each reason once, until it is gone again.
   */
  constructor(initial: ReadonlyMap<string, string>, pins: readonly Pin[], onPin: PinListener) {
    this.initial = initial;
    this.settings = initial;
    this.reading = { settings: initial };
    this.held =
      pins.length === 0 ? noPins : new Map(pins.map(({ reason, detail }) => [reason, detail]));
    this.pins = this.held;
    this.onPin = onPin;
    for (const [reason, detail] of this.held) onPin.pinned({ reason, detail });
  }

  /** Why the session keeps its connection; empty when it need not. */
  get pinned(): ReadonlyMap<PinReason, string> {
    return this.pins;
  }

  /** Names of settings whose values have to be asked for. */
  get unread(): readonly string[] {
    return this.touched.size === 0 ? none : [...this.touched];
  }

  /** What a statement that is prepared now is understood by; undefined when that will never be known. */
  get inForce(): InForce | undefined {
    if (this.local.size > 0 && [...this.local].some(isReadByParse)) return undefined;
    return this.reading;
  }

  /** Names in a statement may mean something else just now than `settings` says. */
  get areNamesUncertain(): boolean {
    if (this.local.size + this.touched.size === 0) return false;
    return [...this.local, ...this.touched].some(isFollowedByPlans);
  }

  /** No transaction is open any more. @returns whether definitions may have changed in it. */
  transactionOver(): boolean {
    const { defines } = this;
    if (this.local.size > 0) this.local.clear();
    this.defines = false;
    return defines;
  }

  /** A text is on its way to the engine. */
  running({ pins, settings, resetsSettings, localSettings, defines }: SessionUse): void {
    for (const name of localSettings) this.local.add(name);
    this.defines ||= defines;
    for (const pin of pins) this.pin(pin);
    for (const name of settings) if (!unreadable.has(name)) this.touched.add(name);
    if (resetsSettings) for (const name of this.settings.keys()) this.touched.add(name);
    if (resetsSettings || settings.some(isReadByParse)) this.reading = { settings: undefined };
  }

  /** It has run, and nothing will take that back. */
  done({ resetsSettings, endsState }: Pick<SessionUse, 'resetsSettings' | 'endsState'>): void {
    if (endsState) this.pins = this.held;
    if (!resetsSettings) return;
    this.touched.clear();
    this.settings = new Map();
    this.reading = { settings: this.settings };
  }

  /** What the engine says of `unread`; null for what is not set any more. */
  read(names: readonly string[], values: ReadonlyMap<string, string | null>): void {
    const settings = new Map(this.settings);
    for (const name of names) {
      const value = values.get(name) ?? null;
      if (value === null) settings.delete(name);
      else if (value.length <= longestValue) settings.set(name, value);
      // Too long to be carried along.
      else this.pin({ reason: 'setting', detail: name });
      this.touched.delete(name);
    }
    const characters = [...settings].reduce(
      (sum, [name, value]) => sum + name.length + value.length,
      0,
    );
    if (settings.size > mostSettings || characters > longestValue)
      this.pin({ reason: 'setting', detail: 'so many settings' });
    this.settings = settings;
    if (this.touched.size === 0) this.reading.settings ??= settings;
  }

  /** From now on the session keeps its connection. */
  pin(pin: Pin): void {
    if (!this.pins.has(pin.reason)) this.onPin.pinned(pin);
    this.pins = new Map([...this.pins, [pin.reason, pin.detail]]);
  }

  /** A connection comes to the session: what RESET took from it is what it began with. */
  restart(): void {
    if (this.settings === this.initial) return;
    for (const [name, value] of this.initial) {
      if (!this.settings.has(name)) this.settings = new Map([...this.settings, [name, value]]);
    }
  }
}

const none: readonly string[] = [];

export interface PinListener {
  pinned(pin: Pin): void;
}

/** Settings that statements were prepared under. */
export interface InForce {
  /** Undefined until the engine was asked for them. */
  settings: ReadonlyMap<string, string> | undefined;
}

/** One for all that have none. */
const noPins: ReadonlyMap<PinReason, string> = new Map();

/** Settings that go with the session from one connection to the next, and their characters; with more it keeps the one it has. */
const mostSettings = 64;
export const longestValue = 16_384;

/** They end with the transaction, although PostgreSQL lists them as the session's; `seed` is a command in this form. */
const unreadable: ReadonlySet<string> = new Set([
  ...['transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'seed'],
]);
