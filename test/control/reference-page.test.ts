/** The document of the API, and the page for people that is made from it. */
import { createHash } from 'node:crypto';
import { Validator } from '@seriousme/openapi-schema-validator';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorKinds } from '../../src/api/envelope.ts';
import { permissions } from '../../src/api/permissions.ts';
import type { Route } from '../../src/api/route.ts';
import {
  choices,
  resolved,
  type ApiDocument,
  type Operation,
  type Schema,
} from '../../src/control/http/openapi-document.ts';
import { routesOfApi } from '../fixtures/api-routes.ts';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';
import { readHtml, type Element } from '../fixtures/html.ts';

const routes = await routesOfApi();
let plane: TestControlPlane;
let document: ApiDocument;
let page: Response;
let html: string;
let elements: readonly Element[];

beforeAll(async () => {
  plane = await startTestControlPlane();
  document = (await plane.request('GET', '/v1/openapi.json')).body;
  page = await fetch(`${plane.base}/docs`);
  html = await page.text();
  elements = readHtml(html);
});
afterAll(() => plane.stop());

function operationOf({ path, method }: Route): Operation {
  return document.paths[path]![method.toLowerCase()]!;
}

describe('the document', () => {
  test('is OpenAPI 3.1, to a validator of others', async () => {
    const result = await new Validator().validate(JSON.parse(JSON.stringify(document)));
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
    const broken = JSON.parse(JSON.stringify(document));
    delete broken.info.title;
    expect((await new Validator().validate(broken)).valid).toBe(false);
  });

  test('has every route, and nothing else', () => {
    const listed = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(listed.length).toBeGreaterThan(40);
    expect(listed.toSorted()).toEqual(
      routes.map(({ method, path }) => `${method} ${path}`).toSorted(),
    );
  });

  test('names each schema once, and none that nobody refers to', () => {
    const named = Object.keys(document.components.schemas);
    const text = JSON.stringify(document);
    expect(named.filter((name) => name.endsWith('Input'))).toEqual([]);
    for (const name of named) expect(text).toContain(`"#/components/schemas/${name}"`);
    const refs = [...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name!);
    expect([...new Set(refs)].toSorted()).toEqual(named.toSorted());
  });

  test('gives each operation an id of its own', () => {
    const ids = routes.map((route) => operationOf(route).operationId);
    expect(new Set(ids).size).toBe(routes.length);
  });

  test.each(routes)('says of $method $path what there is to say', (route) => {
    const operation = operationOf(route);
    expect(operation.summary).toBe(route.summary);
    expect(operation.tags).toEqual([route.tag]);
    expect(document.tags.map(({ name }) => name)).toContain(route.tag);
    const statuses = Object.keys(operation.responses).map(Number);
    expect(statuses).toEqual(expect.arrayContaining([route.status, 400, 429, 500, 503]));
    if (route.access !== 'public') expect(statuses).toEqual(expect.arrayContaining([401, 403]));
    for (const [status, { description, content }] of Object.entries(operation.responses)) {
      const kind = errorKinds[Number(status)];
      expect(description).toContain(kind === undefined ? '' : kind.code);
      expect(description).not.toBe('Default Response');
      // Who is sent on gets no body.
      expect(content === undefined).toBe(status === '302');
      if (kind !== undefined)
        expect(content!['application/json'].schema.$ref).toBe('#/components/schemas/Error');
    }
    expect(operation['x-access'].permission).toBe(
      route.access in permissions ? route.access : undefined,
    );
    for (const { name, description } of operation.parameters ?? [])
      expect(description, name).toBeTruthy();
    const schema = operation.requestBody?.content['application/json'].schema;
    if (schema !== undefined) expect(undescribed(schema)).toEqual([]);
  });

  test.each(routes)('has examples for $method $path that its schemas take', (route) => {
    const { requestBody, responses } = operationOf(route);
    const answer = responses[String(route.status)]!.content?.['application/json'].example ?? null;
    expect(route.response.parse(answer)).toEqual(answer);
    expect(requestBody === undefined).toBe(route.body === undefined);
    if (route.body === undefined) return;
    const sent = requestBody!.content['application/json'].example;
    expect(route.body.parse(sent)).toMatchObject(sent as object);
  });
});

/** Fields of a request of which it is not said what they are. */
function undescribed(given: Schema): readonly string[] {
  const { schemas } = document.components;
  const schema = resolved(given, schemas);
  const own = Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const below = undescribed(field).map((each) => `${name}.${each}`);
    return resolved(field, schemas).description === undefined ? [name, ...below] : below;
  });
  return [...own, ...(choices(schema) ?? []).flatMap(undescribed)];
}

describe('the page', () => {
  test('is found from the root', async () => {
    const answer = await fetch(plane.base, { redirect: 'manual' });
    expect([answer.status, answer.headers.get('location')]).toEqual([302, 'docs']);
    expect((await fetch(plane.base)).url).toBe(`${plane.base}/docs`);
  });

  test('runs and loads nothing that it did not bring', () => {
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const digests = ['script', 'style'].map((tag) => {
      const [, text] = new RegExp(`<${tag}>([^]*?)</${tag}>`).exec(html)!;
      return `'sha256-${createHash('sha256').update(text!).digest('base64')}'`;
    });
    expect(page.headers.get('content-security-policy')).toBe(
      `default-src 'none'; script-src ${digests[0]}; style-src ${digests[1]}; connect-src 'self'; ` +
        `base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    expect(page.headers.get('referrer-policy')).toBe('no-referrer');
    const links = elements.flatMap(({ attributes }) =>
      ['href', 'src', 'action', 'srcset', 'data'].flatMap((name) => attributes.get(name) ?? []),
    );
    expect(links.length).toBeGreaterThan(routes.length);
    expect(links.filter((link) => !link.startsWith('#'))).toEqual(['v1/openapi.json']);
    expect(html).not.toMatch(/url\(|@import|\son\w+="|style="/);
  });

  test('has ids that are each of one place, and links that lead somewhere', () => {
    const ids = elements.flatMap(({ attributes }) => attributes.get('id') ?? []);
    expect(new Set(ids).size).toBe(ids.length);
    const targets = elements.flatMap(({ attributes }) => attributes.get('href') ?? []);
    for (const target of targets.filter((each) => each.startsWith('#')))
      expect(ids).toContain(target.slice(1));
  });

  test.each(routes)('has $method $path, with who may call it and what it takes', (route) => {
    const { operationId, responses, parameters = [], requestBody } = operationOf(route);
    const [, section] = html.split(`<section class="route" id="${operationId}">`);
    const text = section!.slice(0, section!.indexOf('</section>'));
    expect(html).toContain(`<a href="#${operationId}">`);
    expect(text).toContain(`>${route.method}</span> <code>${route.path}</code>`);
    for (const status of Object.keys(responses)) expect(text).toContain(`<b>${status}</b>`);
    const schema = requestBody?.content['application/json'].schema;
    const [body] = schema === undefined ? [] : (choices(schema) ?? [schema]);
    const fields = [...parameters.map(({ name }) => name), ...Object.keys(body?.properties ?? {})];
    for (const name of fields) expect(text).toContain(`<li><code>${name}</code>`);
    if (route.access in permissions) {
      const { roles } = permissions[route.access as keyof typeof permissions];
      expect(text).toContain(`Permission <code>${route.access}</code>`);
      expect(text).toContain(`Roles: ${roles.map((role) => `<code>${role}</code>`).join(', ')}.`);
    }
  });

  test('shows what is sent as text', () => {
    expect(html).toContain('&quot;grace_period_hours&quot;: 24');
    expect(html).not.toContain('undefined');
    expect(html).not.toContain('[object');
  });
});
