import { errorKinds } from '../../api/envelope.ts';
import { permissions } from '../../api/permissions.ts';
import type { Route } from '../../api/route.ts';
import {
  refName,
  refTo,
  type AccessNote,
  type Answer,
  type ApiDocument,
  type Content,
  type Operation,
  type Schemas,
} from './openapi-document.ts';
import { Examples } from './openapi-examples.ts';

/** What the routes know and their schemas don't: who may call them, what each status means, examples. */
export function completed(document: ApiDocument, routes: readonly Route[]): ApiDocument {
  const tidied = tidy(document);
  const { schemas } = tidied.components;
  const paths: Record<string, Record<string, Operation>> = {};
  for (const route of routes) {
    const method = route.method.toLowerCase();
    const operation = tidied.paths[route.path]![method]!;
    (paths[route.path] ??= {})[method] = completedOperation(operation, route, schemas);
  }
  return { ...tidied, paths };
}

function completedOperation(operation: Operation, route: Route, schemas: Schemas): Operation {
  const examples = new Examples(route.tag, schemas);
  const { requestBody, responses } = operation;
  const answers = Object.entries(responses).map(
    ([status, answer]) => [status, completedAnswer(status, answer, examples)] as const,
  );
  const content = requestBody && withExample(requestBody.content, examples);
  return {
    ...operation,
    ...(content && { requestBody: { required: route.hasOptionalBody !== true, content } }),
    responses: Object.fromEntries(answers),
    'x-access': accessNote(route.access),
  };
}

function completedAnswer(status: string, answer: Answer, examples: Examples): Answer {
  const error = errorKinds[Number(status)];
  const headers = headersOf(status);
  return {
    ...answer,
    description: error === undefined ? successes[status]! : `\`${error.code}\`: ${error.means}`,
    headers: Object.fromEntries(Object.keys(headers).map((name) => [name, headerRef(name)])),
    // Of errors there is one example for all.
    ...(error === undefined &&
      answer.content && { content: withExample(answer.content, examples) }),
  };
}

function headersOf(status: string): object {
  if (status === '429') return limitHeaders;
  if (status === '302') return redirectHeaders;
  return errorKinds[Number(status)] === undefined ? successHeaders : {};
}

const successes: Readonly<Record<string, string>> = {
  200: 'Done',
  201: 'Created',
  202: 'Accepted; it goes on by itself',
  302: 'Sent on, to what Location names',
};

const whole = { type: 'integer' } as const;

const successHeaders = {
  'X-Request-Id': { description: 'Of the request; it is in the log', schema: { type: 'string' } },
  'X-RateLimit-Limit': { description: 'Requests a minute', schema: whole },
  'X-RateLimit-Remaining': { description: 'Requests that may be sent now', schema: whole },
  'X-RateLimit-Reset': {
    description: 'When all of them may be sent again, in Unix seconds',
    schema: whole,
  },
} as const;

const limitHeaders = {
  ...successHeaders,
  'Retry-After': { description: 'Seconds until the next one may be sent', schema: whole },
} as const;

const redirectHeaders = {
  ...successHeaders,
  Location: { description: 'Where the browser goes', schema: { type: 'string' } },
} as const;

/** For `components.headers`. */
export const answerHeaders = { ...limitHeaders, ...redirectHeaders };

function headerRef(name: string) {
  return { $ref: `#/components/headers/${name}` };
}

function withExample(content: Content, examples: Examples): Content {
  const { schema } = content['application/json'];
  return { 'application/json': { schema, example: examples.of(schema) } };
}

function accessNote(access: Route['access']): AccessNote {
  if (access === 'public') return { credential: 'none' };
  if (access === 'authenticated') return { credential: 'token or key' };
  if (access === 'user') return { credential: 'token' };
  if (access === 'account') return { credential: 'token of a login by password' };
  const { roles, scope } = permissions[access];
  return {
    credential: scope === null ? 'token' : 'token or key',
    permission: access,
    roles: [...roles],
    scope,
  };
}

const readSuffix = 'Input';

/**
 * The library lists each named schema twice, as it is written and, with a suffix, as it is read. Only what is referred to stays; what is
 * only read has its own name.
 */
function tidy(document: ApiDocument): ApiDocument {
  const { schemas: all } = document.components;
  const used = new Set(refsIn({ ...document, components: {} }, all));
  const nameFor = (name: string): string => {
    const plain = name.slice(0, -readSuffix.length);
    return name.endsWith(readSuffix) && plain in all && !used.has(plain) ? plain : name;
  };
  const renamed = JSON.parse(JSON.stringify(document), (key, value: unknown) => {
    return key === '$ref' ? refTo(nameFor(refName({ $ref: String(value) })!)) : value;
  }) as ApiDocument;
  const kept = [...used].toSorted().map((name) => {
    const schema = renamed.components.schemas[name]!;
    return [nameFor(name), schema] as const;
  });
  const components = { ...renamed.components, schemas: Object.fromEntries(kept) };
  return { ...renamed, components };
}

/** Names of the schemas that a part of the document refers to, and of those that these do. */
function refsIn(part: unknown, schemas: Schemas, found = new Set<string>()): ReadonlySet<string> {
  if (typeof part !== 'object' || part === null) return found;
  for (const [key, value] of Object.entries(part)) {
    const name = key === '$ref' ? refName({ $ref: String(value) }) : undefined;
    if (name === undefined) refsIn(value, schemas, found);
    else if (name in schemas && !found.has(name)) {
      found.add(name);
      refsIn(schemas[name], schemas, found);
    }
  }
  return found;
}
