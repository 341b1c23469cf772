import { HatiError, type ErrorCode } from '../errors.ts';
import type { ClassifiedText } from './statement.ts';

/** What a parser thread says; it is told texts and nothing else. */
export type WorkerReply =
  | { readonly kind: 'ready' }
  | { readonly kind: 'classified'; readonly value: ClassifiedText }
  | ({ readonly kind: 'refused' } & Refusal)
  | { readonly kind: 'tooComplex'; readonly reason: string }
  /** Its parser broke on this text; the thread must be ended. */
  | { readonly kind: 'broken' };

/** A `HatiError` on its way between threads, where objects lose their class. */
interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail: string | undefined;
  readonly hint: string | undefined;
  readonly position: number | undefined;
}

export function refused({ code, message, detail, hint, position }: HatiError): WorkerReply {
  return { kind: 'refused', code, message, detail, hint, position };
}

/** The codes that analysis refuses with have the whole text as their one placeholder, `message`. */
export function revive({ code, message, detail, hint, position }: Refusal): HatiError {
  return new HatiError(code, {
    params: { message },
    ...(detail !== undefined && { detail }),
    ...(hint !== undefined && { hint }),
    ...(position !== undefined && { position }),
  });
}
