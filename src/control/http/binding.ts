import type { Role } from '../../api/permissions.ts';
import type { BodyOf, ParamsOf, QueryOf, ReplyOf, Route } from '../../api/route.ts';
import type { Act } from '../act.ts';
import type { Caller, UserCaller } from '../caller.ts';
import type { KeyBounds } from '../keys/store.ts';

/** What a handler is given: checked, and allowed. */
export interface Call<R extends Route> {
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
  readonly caller: CallerOf<R>;
  /** The client's address. */
  readonly source: string;
  /** What the client calls itself. */
  readonly userAgent: string | undefined;
  /** The header as it came. */
  readonly cookie: string | undefined;
  /** The version in If-Match. */
  readonly ifVersion: number | undefined;
  /** The transaction of what this request changes, with its record. Where the route creates something, what comes of it is the reply. */
  readonly change: R['creates'] extends true
    ? (work: (act: Act, place: Place) => Promise<Reply<R>>) => Promise<Reply<R>>
    : <T>(work: (act: Act, place: Place) => Promise<T>) => Promise<T>;
}

/** Where the permission holds, until the end of the act. Empty where the path names neither. */
export interface Place {
  readonly orgId?: string;
  readonly envId?: string;
  /** What the user is there. */
  readonly role?: Role;
  /** Of the key that acts. */
  readonly bounds?: KeyBounds;
}

type CallerOf<R extends Route> = R['access'] extends 'public'
  ? undefined
  : R['access'] extends 'user' | 'account'
    ? UserCaller
    : Caller;

/** Beside its body. */
export interface Reply<R extends Route> {
  readonly body: ReplyOf<R>;
  /** Its version, for the ETag. */
  readonly version?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where a browser is sent on to. */
export interface Redirect {
  readonly location: string;
  readonly headers?: Readonly<Record<string, string>>;
}

type Outcome<R extends Route> = R['redirects'] extends true ? Reply<R> | Redirect : Reply<R>;

/** A route and what it does. */
export interface Binding {
  readonly route: Route;
  readonly handle: (call: Call<Route>) => Promise<Reply<Route> | Redirect>;
}

export function bind<R extends Route>(
  route: R,
  handle: (call: Call<R>) => Promise<Outcome<R>>,
): Binding {
  // What the server gives it is what the route's schemas let through.
  return { route, handle };
}
