import { accessErrors } from './errors/access.ts';
import { controlErrors } from './errors/control.ts';
import type { Blame, ErrorDefinition } from './errors/definition.ts';
import { engineErrors } from './errors/engine.ts';
import { httpErrors } from './errors/http.ts';
import { limitErrors } from './errors/limits.ts';
import { loginErrors } from './errors/login.ts';
import { protocolErrors } from './errors/protocol.ts';
import { statementErrors } from './errors/statements.ts';

export type { ErrorDefinition } from './errors/definition.ts';

/**
 * The one registry of everything that HatiData itself may say to a client; its entries are in `errors/`, by area.
 *
 * A client only ever sees the text of an entry here (with its `{placeholders}` filled in), or the engine's own
 * bytes. Whatever else goes wrong becomes `internal` with a reference, and the details go to the log.
 * `docs/errors.md` is compared with this table by a test, both ways.
 */
export const errorRegistry = {
  ...accessErrors,
  ...statementErrors,
  ...protocolErrors,
  ...limitErrors,
  ...engineErrors,
  ...httpErrors,
  ...loginErrors,
  ...controlErrors,
} as const;

export type ErrorCode = keyof typeof errorRegistry;

export interface HatiErrorOptions {
  /** Values for the `{placeholders}` of the text. */
  readonly params?: Readonly<Record<string, string | number>>;
  /** Shown to the client as DETAIL. */
  readonly detail?: string;
  /** Overrides the registry's hint. */
  readonly hint?: string;
  /** 1-based character position in the statement, as in ErrorResponse field `P`. */
  readonly position?: number;
  /** What a program needs to know of it; shown over HTTP. */
  readonly details?: Readonly<Record<string, unknown>>;
  /** For the log only. */
  readonly cause?: unknown;
}

/** The only kind of error whose text may reach a client. */
export class HatiError extends Error {
  readonly code: ErrorCode;
  readonly sqlstate: string;
  readonly http: number;
  readonly blame: Blame;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly routine: string | undefined;
  readonly position: number | undefined;
  readonly details: HatiErrorOptions['details'];

  constructor(code: ErrorCode, options: HatiErrorOptions = {}) {
    const definition: ErrorDefinition = errorRegistry[code];
    super(fillIn(definition.text, options.params ?? {}), { cause: options.cause });
    this.name = 'HatiError';
    this.code = code;
    this.sqlstate = definition.sqlstate;
    this.http = definition.http;
    this.blame = definition.blame;
    this.detail = options.detail;
    this.hint = options.hint ?? definition.hint;
    this.routine = definition.routine;
    this.position = options.position;
    this.details = options.details;
  }
}

function fillIn(text: string, params: Readonly<Record<string, string | number>>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(params[name] ?? whole));
}
