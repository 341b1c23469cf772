/**
 * Where the data plane (`proxy/`) and the control plane (`control/`) meet. Types only: neither imports the other,
 * `serve.ts` joins them.
 */
import type { Authority } from './policy/authority.ts';
import type { KeyFunctionName } from './sql/statement.ts';

/** Identifies one issued secret; rotating a key ends one and issues another. */
export type SecretId = string & { readonly brand: 'SecretId' };
export type KeyId = string & { readonly brand: 'KeyId' };

/** Who a connection acts for, once authenticated. */
export type Principal =
  | {
      readonly kind: 'key';
      readonly keyId: KeyId;
      readonly secretId: SecretId;
      readonly agent: string;
      readonly authority: Authority;
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
}

/** `create_api_key` and its siblings. */
export interface KeyFunctions {
  /** @returns the value of the result's one column. Throws HatiError. */
  call(name: KeyFunctionName, args: readonly (string | null)[], actor: Actor): Promise<string>;
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
  query(text: string): Promise<Buffer>;
  describe(text: string, parameterTypes: readonly number[]): Promise<Description>;
  /** @param bind the body of the client's Bind after the two names: formats, parameters, result formats. */
  execute(text: string, parameterTypes: readonly number[], bind: Buffer): Promise<SystemResult>;
}

export interface SystemResult {
  /** RowDescription in the formats that Bind asked for. */
  readonly row: Buffer;
  /** DataRow messages. */
  readonly rows: readonly Buffer[];
}
