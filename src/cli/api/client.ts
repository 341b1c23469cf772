import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError, writeLine } from '../context.ts';
import type { CommandContext } from '../context.ts';
import { ApiFault, faultOf } from './faults.ts';
import { send } from './http.ts';
import type { HttpAnswer, HttpRequest, Server } from './http.ts';
import type { Answer, Asked, Item, ListName, RouteName } from './routes.ts';
import { findServer } from './server.ts';
import type { ApiOptions } from './server.ts';
import { readSession, sessionPath, withSessionLock, writeSession } from './session-file.ts';
import type { Session } from './session-file.ts';

type Credential =
  /** An API key, or a token of a moment. */
  | { readonly kind: 'fixed'; readonly secret: string }
  | { readonly kind: 'session'; readonly session: Session; readonly path: string };

/** Of an answer 429; who is to wait longer is told so. */
const longestPatienceSeconds = 60;
const pageSize = 200;

/** One control plane, asked as one caller. */
export class ApiClient {
  readonly server: Server;
  private credential: Credential;
  private readonly context: CommandContext;

  constructor(context: CommandContext, server: Server, credential: Credential) {
    this.context = context;
    this.server = server;
    this.credential = credential;
  }

  /** Undefined where the caller is an API key. */
  get session(): Session | undefined {
    return this.credential.kind === 'session' ? this.credential.session : undefined;
  }

  /** @throws {ApiFault} for what the server refuses. */
  async call<Name extends RouteName>(name: Name, asked: Asked<Name> = {}): Promise<Answer<Name>> {
    const request = requestOf(name, asked);
    let answer = await this.patiently(request, this.credential);
    if (answer.status === 401 && this.credential.kind === 'session') {
      const { session, path } = this.credential;
      this.credential = { kind: 'session', path, session: await this.renewed(path, session) };
      answer = await this.patiently(request, this.credential);
    }
    return bodyOf(this.server, answer) as Answer<Name>;
  }

  /** Every page of a list. */
  async all<Name extends ListName>(name: Name, asked: Asked<Name> = {}): Promise<Item<Name>[]> {
    const items: Item<Name>[] = [];
    let cursor: string | null = null;
    do {
      const query = { ...asked.query, limit: pageSize, ...(cursor !== null && { cursor }) };
      const answer = await this.call(name, { ...asked, query } as Asked<Name>);
      const page = answer as unknown as Page<Item<Name>>;
      items.push(...page.data);
      ({ cursor } = page.pagination);
    } while (cursor !== null);
    return items;
  }

  private async patiently(request: HttpRequest, as?: Credential): Promise<HttpAnswer> {
    for (;;) {
      const credential = as && secretOf(as);
      const answer = await send(this.server, { ...request, credential });
      const seconds = answer.retryAfterSeconds;
      if (answer.status !== 429 || seconds === undefined || seconds > longestPatienceSeconds)
        return answer;
      writeLine(this.context.stderr, `The server asks to wait ${seconds} s.`);
      await sleep(seconds * 1_000);
    }
  }

  /** Another command may have renewed it meanwhile; a refresh token is good once. */
  private async renewed(path: string, used: Session): Promise<Session> {
    return await withSessionLock(path, async () => {
      const stored = readSession(path);
      if (stored?.url !== used.url) throw loggedOut(this.server);
      if (stored.token !== used.token) return stored;
      const answer = await this.patiently(
        requestOf('POST /v1/auth/refresh', { body: { refresh_token: stored.refresh_token } }),
      );
      if (answer.status === 401) throw loggedOut(this.server);
      const tokens = bodyOf(this.server, answer) as Answer<'POST /v1/auth/refresh'>;
      const session = { ...stored, ...sessionTokens(tokens) };
      writeSession(path, session);
      return session;
    });
  }
}

interface Page<T> {
  readonly data: readonly T[];
  readonly pagination: { readonly cursor: string | null };
}

/** @throws {CommandError} where there is neither a key nor a session of this server. */
export function openApi(context: CommandContext, options: ApiOptions): ApiClient {
  const path = sessionPath(context);
  const session = readSession(path);
  const server = findServer(context, options, session);
  const secret = options.key ?? (context.env['HATIDATA_API_KEY'] || undefined);
  if (secret !== undefined) return new ApiClient(context, server, { kind: 'fixed', secret });
  if (session?.url !== server.url) {
    throw new CommandError(
      `Nobody has logged in to ${server.url} from here; run \`hati login\`, or give an API key as HATIDATA_API_KEY.`,
    );
  }
  return new ApiClient(context, server, { kind: 'session', session, path });
}

/** As nobody. */
export async function callPublic<Name extends RouteName>(
  server: Server,
  name: Name,
  asked: Asked<Name>,
): Promise<Answer<Name>> {
  return bodyOf(server, await send(server, requestOf(name, asked))) as Answer<Name>;
}

export function sessionTokens({
  access_token: token,
  refresh_token,
  expires_in,
}: Answer<'POST /v1/auth/refresh'>): Pick<Session, 'token' | 'refresh_token' | 'expires_at'> {
  const expires_at = new Date(Date.now() + expires_in * 1_000).toISOString();
  return { token, refresh_token, expires_at };
}

function requestOf<Name extends RouteName>(
  name: Name,
  { params, query, body }: Asked<Name>,
): HttpRequest {
  const [method, template] = name.split(' ') as [string, string];
  const values = (params ?? {}) as Readonly<Record<string, string>>;
  const path = template.replaceAll(/\{(\w+)\}/g, (_, each: string) =>
    encodeURIComponent(values[each]!),
  );
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined);
  const search = new URLSearchParams(
    given.map(([key, value]): [string, string] => [key, String(value)]),
  );
  return { method, path: search.size === 0 ? path : `${path}?${search.toString()}`, body };
}

function bodyOf(server: Server, answer: HttpAnswer): unknown {
  if (answer.status >= 200 && answer.status < 300 && answer.body !== undefined) return answer.body;
  throw faultOf(server, answer);
}

function secretOf(credential: Credential): string {
  return credential.kind === 'fixed' ? credential.secret : credential.session.token;
}

function loggedOut({ url }: Server): ApiFault {
  const message = `The login at ${url} has ended; run \`hati login\` again.`;
  return new ApiFault(401, 'refresh_refused', message);
}
