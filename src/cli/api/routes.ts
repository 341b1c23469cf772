import type { z, ZodType } from 'zod';
import type * as auth from '../../api/auth.ts';
import type * as environments from '../../api/environments.ts';
import type * as keys from '../../api/keys.ts';
import type * as organizations from '../../api/organizations.ts';
import type { Route } from '../../api/route.ts';
import type * as singleSignOn from '../../api/single-sign-on.ts';
import type * as users from '../../api/users.ts';
import type * as webhooks from '../../api/webhooks.ts';

/**
 * The routes by what they are asked as: `GET /v1/organizations`. Types alone: loading the schemas would slow every command down, and
 * it is the server that checks.
 */

type RoutesIn<Module> = Extract<Module[keyof Module], Route>;

type AnyRoute =
  | RoutesIn<typeof auth>
  | RoutesIn<typeof environments>
  | RoutesIn<typeof keys>
  | RoutesIn<typeof organizations>
  | RoutesIn<typeof singleSignOn>
  | RoutesIn<typeof users>
  | RoutesIn<typeof webhooks>;

type NameOf<R> = R extends Route ? `${R['method']} ${R['path']}` : never;
type Find<R, Name> = R extends Route ? (NameOf<R> extends Name ? R : never) : never;

export type RouteName = NameOf<AnyRoute>;

type Given<R, Part extends 'params' | 'query' | 'body'> = R extends {
  readonly [key in Part]: infer Schema extends ZodType;
}
  ? z.input<Schema>
  : undefined;

export interface Asked<Name extends RouteName> {
  readonly params?: Given<Find<AnyRoute, Name>, 'params'>;
  readonly query?: Given<Find<AnyRoute, Name>, 'query'>;
  readonly body?: Given<Find<AnyRoute, Name>, 'body'>;
}

export type Answer<Name extends RouteName> = z.output<Find<AnyRoute, Name>['response']>;

/** Those that answer page by page. */
export type ListName = {
  [Name in RouteName]: Answer<Name> extends { data: unknown[]; pagination: unknown } ? Name : never;
}[RouteName];

export type Item<Name extends ListName> =
  Answer<Name> extends { data: (infer Each)[] } ? Each : never;
