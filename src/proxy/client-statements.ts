import { LRUCache } from 'lru-cache';
import { newEngineStatement, type EngineStatement } from '../engine/pool/engine-statement.ts';
import { HatiError } from '../errors.ts';
import { SeldomMap, SeldomSet } from '../shared/seldom.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import type { ParseMessage } from '../wire/frontend-messages.ts';
import { parseKey } from './parse-settings.ts';
import type { InForce } from './session-state.ts';

/** A statement that the client has prepared for the engine under a name. */
export interface ClientStatement {
  readonly classified: ClassifiedText;
  readonly engine: EngineStatement;
  /** What it is prepared under, wherever it is. */
  readonly under: InForce;
  /** What the client was told that it gives; see `result-shapes.ts`. */
  shape?: string;
}

/** The unnamed one: prepared again by the same message where another connection, or another client, comes between. */
export interface UnnamedStatement {
  readonly classified: ClassifiedText;
  readonly parse: Buffer;
  readonly under: InForce;
  /** In a fast lane, what is used in its place; see `stand-in-statements.ts`. */
  readonly standIn?: EngineStatement;
}

/** What one session may have prepared. */
const mostStatements = 10_000;
const mostBytes = 16 * 1024 * 1024;

/** Names whose Parse or Close may yet turn out not to have happened. */
const mostUndecided = 1_000;

/** Takes back what was noted when a message was sent that the engine then did not carry out. */
export type Undo = () => void;

/**
 * The client's names for its prepared statements. The engine knows them by ours (`EngineStatement`), on each connection that
 * the session has come to use them on.
 */
export class ClientStatements {
  /** How often the unnamed statement was another one, or none. */
  unnamedChanges = 0;
  private current: UnnamedStatement | undefined;
  /** Names that PREPARE gave in SQL: they are on the connection that the session keeps since. */
  readonly ofSql = new SeldomSet<string>();
  private readonly named = new SeldomMap<string, ClientStatement>();
  /** Names, '' among them, by the batch in which a Parse or Close of them was sent last. */
  private readonly changed = new SeldomMap<string, number>();
  private bytes = 0;

  /** A Parse or Close of it goes out; an error before it in its batch may yet keep that from happening. */
  changing(name: string, { batch, answered }: Batches): void {
    if (this.changed.size >= mostUndecided)
      for (const [each, sentIn] of this.changed) if (sentIn < answered) this.changed.delete(each);
    this.changed.set(name, batch);
  }

  /** What is behind the name depends on answers to an earlier batch, or so many names do that they have to be waited for. */
  isUndecided(name: string, { batch, answered }: Batches): boolean {
    if (this.changed.size > mostUndecided) return true;
    const changed = this.changed.get(name);
    return changed !== undefined && changed >= answered && changed !== batch;
  }

  /** All is answered that was sent. */
  decided(): void {
    this.changed.clear();
  }

  get unnamed(): UnnamedStatement | undefined {
    return this.current;
  }

  set unnamed(statement: UnnamedStatement | undefined) {
    this.current = statement;
    this.unnamedChanges += 1;
  }

  get count(): number {
    return this.named.size;
  }

  /** The client's name for it. */
  nameOf(engineName: string): string | undefined {
    if (this.current?.standIn?.name === engineName) return '';
    for (const [name, { engine }] of this.named) if (engine.name === engineName) return name;
    return undefined;
  }

  get(name: string): ClientStatement | undefined {
    return this.named.get(name);
  }

  /** The client has prepared it, by the protocol or in SQL. */
  has(name: string): boolean {
    if (name === '') return this.current !== undefined;
    return this.named.has(name) || this.ofSql.has(name);
  }

  /** A Parse is on its way. Throws when the name is taken, or the session has too many. */
  add(name: string, statement: ClientStatement): Undo {
    if (this.has(name)) throw new HatiError('prepared_statement_exists', { params: { name } });
    if (this.named.size >= mostStatements || this.bytes + statement.engine.bytes > mostBytes) {
      const params = { count: mostStatements, bytes: mostBytes };
      throw new HatiError('prepared_too_many', { params });
    }
    this.put(name, statement);
    return () => {
      if (this.named.get(name) === statement) this.put(name, undefined);
    };
  }

  /** What lets go of the unnamed one is on its way. */
  endUnnamed(batches: Batches): Undo {
    const before = this.unnamed;
    this.unnamed = undefined;
    this.changing('', batches);
    const changes = this.unnamedChanges;
    return () => {
      if (this.unnamedChanges === changes) this.unnamed = before;
    };
  }

  /** A Close is on its way, or DEALLOCATE has run. */
  remove(name: string): Undo {
    const before = this.named.get(name);
    const wasOfSql = this.ofSql.delete(name);
    this.put(name, undefined);
    return () => {
      // Another one may have the name by now.
      if (this.has(name)) return;
      this.put(name, before);
      if (wasOfSql) this.ofSql.add(name);
    };
  }

  clear(): void {
    this.unnamed = undefined;
    this.ofSql.clear();
    this.named.clear();
    this.bytes = 0;
  }

  private put(name: string, statement: ClientStatement | undefined): void {
    this.bytes -= this.named.get(name)?.engine.bytes ?? 0;
    this.bytes += statement?.engine.bytes ?? 0;
    if (statement === undefined) this.named.delete(name);
    else this.named.set(name, statement);
  }
}

/** Of the response queue: how far the engine is. */
export interface Batches {
  readonly batch: number;
  readonly answered: number;
}

/** What a statement is prepared under. */
export interface Preparation {
  /** Undefined when it will never be known. */
  readonly inForce: InForce | undefined;
  /** How often definitions have changed. */
  readonly epoch: number;
  /** It may be prepared under other settings than these: then nobody else may use it. */
  readonly isPrivate: boolean;
}

/** Of statements that were prepared while nobody could know by what they are understood. */
export const underUnknown: InForce = { settings: undefined };

/** Of all sessions. By their text itself: what is known of it may be known of other texts as well. */
const shared = new LRUCache<string, EngineStatement>({
  maxSize: 16 * 1024 * 1024,
  sizeCalculation: ({ bytes }, key) => bytes + key.length,
});

/**
 * The one statement for all clients that prepare this text with these types under these settings.
 */
export function engineStatement(
  message: Omit<ParseMessage, 'name'>,
  preparation: Preparation,
): EngineStatement {
  const key = sharedKey(message, preparation);
  return key === undefined ? newEngineStatement(message) : sharedStatement(key, message);
}

/** Alike for what can be one statement; undefined for what may be nobody else's. */
export function sharedKey(
  { text, parameterTypes }: Omit<ParseMessage, 'name'>,
  { inForce, epoch, isPrivate }: Preparation,
): string | undefined {
  const settings = inForce?.settings;
  if (isPrivate || settings === undefined) return undefined;
  // None of them holds a NUL.
  return `${epoch}\0${parameterTypes.join()}\0${parseKey(settings)}\0${text}`;
}

export function sharedStatement(
  key: string,
  { text, parameterTypes }: Omit<ParseMessage, 'name'>,
): EngineStatement {
  const known = shared.get(key);
  if (known !== undefined) return known;
  const made = newEngineStatement({ text, parameterTypes });
  shared.set(key, made);
  return made;
}
