/**
 * Where the data plane (`proxy/`) and the control plane (`control/`) meet. Types only: neither imports the other,
 * `serve.ts` joins them.
 */
import type { Authority } from './policy/authority.ts';
import type { KeyFunctionName, Statement } from './sql/statement.ts';

/** Identifies one issued secret; rotating a key ends one and issues another. */
export type SecretId = string & { readonly brand: 'SecretId' };
export type KeyId = string & { readonly brand: 'KeyId' };
export type EnvironmentId = string & { readonly brand: 'EnvironmentId' };

/** Who a connection acts for, once authenticated. */
export type Principal =
  | {
      readonly kind: 'key';
      readonly keyId: KeyId;
      readonly secretId: SecretId;
      /** Where it is good. */
      readonly environment: EnvironmentId;
      readonly agent: string;
      readonly authority: Authority;
      /** From where it may be used (`shared/networks.ts`); none: from anywhere. */
      readonly networks: readonly string[];
    }
  | {
      readonly kind: 'localAdministrator';
      readonly agent: string;
      readonly authority: Authority;
    };

/** What the proxy asks about keys. */
export interface KeyDirectory {
  /**
   * @param source where the attempt comes from (an address); attempts of one source queue behind each other.
   * @returns undefined for every secret that is unknown, wrong, revoked or expired. Rejects with `store_unreachable`.
   */
  verify(secret: string, source: string): Promise<Principal | undefined>;
  /** In memory, no I/O: false as soon as this process knows that the principal's secret has ended. */
  isCurrent(principal: Principal): boolean;
  /** Called once for each secret that ends, on every proxy of the store. */
  onEnded(listener: (secret: SecretId) => void): void;
  /** Called when a secret may be used from other networks than before, on every proxy of the store. */
  onNetworks(listener: (secret: SecretId, networks: readonly string[]) => void): void;
  /** Secrets that are in use, however long ago they were verified: whether they have ended while the store was away is found out as well. */
  alsoWatch(secrets: () => Iterable<SecretId>): void;
  /** The store has been away for so long that no key is believed; see `keys.outage_seconds`. */
  readonly isRefusing: boolean;
  /** Called when that begins. */
  onOutage(listener: () => void): void;
}

/** What a client must present to cancel: the two values of BackendKeyData. */
export interface CancelKey {
  readonly processId: number;
  readonly secret: Buffer;
}

/** Cancel keys that every instance of the store knows for genuine. */
export interface CancelKeyIssuer {
  /**
   * In memory, no I/O.
   * @param secretBytes 4 under protocol 3.0, 32 from 3.2 on.
   * @param isTaken whether a session has that process id.
   */
  issue(secretBytes: 4 | 32, isTaken: (processId: number) => boolean): CancelKey;
}

/** The way of cancel requests between the instances of a store. */
export interface CancelForwarding {
  /** For a key that no session here has. Resolves when it is done, or when nobody does it. Never rejects. */
  forward(key: CancelKey): Promise<void>;
  /** @param cancelHere for requests that other instances send; resolves when the engine has been told. Never rejects. */
  onCancel(cancelHere: (key: CancelKey) => Promise<void>): void;
}

/** How many sessions there are on the instances of a store. In memory, no I/O but for `freshen`. */
export interface SessionCounts {
  /** On the other instances, as far as they have been heard of lately. */
  elsewhere(keyId: KeyId | undefined): { readonly total: number; readonly ofKey: number };
  /** Resolves when instances that have died are not counted any more, as far as the store knows. Never rejects. */
  freshen(): Promise<void>;
  /** There are so many here now. */
  changeHere(total: number, keyId: KeyId | undefined, ofKey: number): void;
}

/** `create_api_key` and its siblings. */
export interface KeyFunctions {
  /** @returns the value of the result's one column. Throws HatiError. */
  call(name: KeyFunctionName, args: readonly (string | null)[], actor: Actor): Promise<string>;
}

/** How often tables and their like have changed: what is prepared before and after is not the same. */
export interface DefinitionCount {
  readonly epoch: number;
  /** A statement is on its way that defines something, or its transaction is over. */
  changed(): void;
  /** The engine says that something has changed which nobody told us of. */
  noticed(): void;
}

/** Who did it and from where, for the record. */
export interface Actor {
  readonly principal: Principal;
  readonly source: string;
}

export interface LoginRecord {
  readonly outcome: 'accepted' | 'refused';
  /** The key's agent; undefined where no key was recognised. */
  readonly principal: Principal | undefined;
  readonly source: string;
  /** What the client said of itself; never proof of anything. */
  readonly claimedAgent: string | undefined;
  readonly applicationName: string | undefined;
  /** The subject of the certificate that the client proved to have. */
  readonly certificate: string | undefined;
}

export interface LoginSink {
  /** Never throws and never blocks; what can't be written is logged. */
  record(login: LoginRecord): void;
}

/** The shape of a statement's parameters and result, as the messages that a server sends for Describe. */
export interface Description {
  /** A ParameterDescription message. */
  readonly parameters: Buffer;
  /** A RowDescription or NoData message. */
  readonly row: Buffer;
}

/** Reads over `_hatidata_*` relations, run by the control store. */
export interface SystemRelations {
  /** Answers a simple Query: everything but ReadyForQuery. Throws HatiError or EngineError. */
  query(statement: Statement, asker: Principal): Promise<Buffer>;
  describe(statement: Statement, parameterTypes: readonly number[]): Promise<Description>;
  /** @param bind the body of the client's Bind after the two names: formats, parameters, result formats. */
  execute(
    statement: Statement,
    parameterTypes: readonly number[],
    bind: Buffer,
    asker: Principal,
  ): Promise<SystemResult>;
}

/**
 * The rows of `_hatidata_status` that somebody may see, by the name of the relation: objects with a member for each column. Made anew
 * whenever somebody reads them.
 */
export type StatusRelations = Readonly<
  Record<StatusRelation, (asker: Principal) => readonly StatusRow[] | Promise<readonly StatusRow[]>>
>;
export type StatusRelation = 'clients' | 'pools' | 'servers' | 'statements';
export type StatusRow = Readonly<Record<string, string | number | boolean | null>>;

export interface SystemResult {
  /** RowDescription in the formats that Bind asked for. */
  readonly row: Buffer;
  /** DataRow messages. */
  readonly rows: readonly Buffer[];
}
