/** Traces of a real proxy, as a real receiver of OTLP over HTTP gets them. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestProxy, type TestProxy } from '../fixtures/proxy.ts';
import { until } from './scrape.ts';

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly status: { readonly code?: number; readonly message?: string };
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: Span['attributes'] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

class Collector {
  readonly paths = new Set<string>();
  readonly bodies: string[] = [];
  readonly spans: Span[] = [];
  private readonly server: Server;

  constructor() {
    this.server = createServer((request, response) => {
      void text(request).then((body) => {
        this.paths.add(`${request.method} ${request.url} ${request.headers['content-type']}`);
        this.bodies.push(body);
        const { resourceSpans } = JSON.parse(body) as Export;
        this.spans.push(
          ...resourceSpans.flatMap((each) => each.scopeSpans).flatMap((each) => each.spans),
        );
        response.setHeader('content-type', 'application/json').end('{}');
      });
    });
  }

  async start(): Promise<string> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  /** The root spans with this request id, in order; waits for so many. */
  async roots(requestId: string, count: number): Promise<Span[]> {
    const found = (): Span[] =>
      this.spans
        .filter((span) => attribute(span, 'hatidata.request_id') === requestId)
        .toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)));
    await until(() => found().length >= count);
    expect(found()).toHaveLength(count);
    return found();
  }

  /** The steps below a root, in order, each inside of it. */
  steps(root: Span): string[] {
    const children = this.spans
      .filter(({ parentSpanId }) => parentSpanId === root.spanId)
      .toSorted((a, b) => Number(BigInt(a.startTimeUnixNano) - BigInt(b.startTimeUnixNano)));
    for (const { traceId, startTimeUnixNano, endTimeUnixNano } of children) {
      expect(traceId).toBe(root.traceId);
      expect(BigInt(startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root.startTimeUnixNano));
      expect(BigInt(endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root.endTimeUnixNano));
    }
    return children.map(({ name }) => name);
  }
}

function attribute(span: Span, key: string): unknown {
  return Object.values(span.attributes.find((each) => each.key === key)?.value ?? {})[0];
}

function milliseconds({ startTimeUnixNano, endTimeUnixNano }: Span): number {
  return Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6;
}

const pipelineSteps = ['admit', 'read', 'standIn', 'identify', 'authorize', 'route'];

describe('with a collector', () => {
  const collector = new Collector();
  let proxy: TestProxy;
  let admin: pg.Client;
  let key: string;

  beforeAll(async () => {
    const endpoint = await collector.start();
    proxy = await startTestProxy({ tracing: { endpoint, samplePercent: 100 } });
    admin = await proxy.client();
    const { rows } = await admin.query("SELECT create_api_key('traced', 'admin')");
    key = rows[0].api_key;
  });
  afterAll(async () => {
    await proxy.stop();
    await collector.stop();
  });

  const client = (requestId: string): Promise<pg.Client> =>
    proxy.client(key, { options: `-c hatidata_request_id=${requestId}` });

  test('a Query: one span a step, then the engine’s work', async () => {
    const before = Date.now();
    await (await client('request-1')).query('SELECT pg_sleep(0.1)');
    const [root] = await collector.roots('request-1', 1);
    expect(root).toMatchObject({ name: 'postgresql query', kind: 2 });
    expect(root?.parentSpanId ?? '').toBe('');
    expect(collector.steps(root!)).toEqual([...pipelineSteps, 'execute']);
    expect(milliseconds(root!)).toBeGreaterThan(100);
    const execute = collector.spans.find(
      ({ parentSpanId, name }) => parentSpanId === root!.spanId && name === 'execute',
    );
    expect(milliseconds(execute!)).toBeGreaterThan(99);
    // The clock of the wall, not of the process.
    expect(Math.abs(Number(BigInt(root!.startTimeUnixNano) / 1_000_000n) - before)).toBeLessThan(
      60_000,
    );
    expect(attribute(root!, 'hatidata.agent_id')).toBe('traced');
    expect(attribute(root!, 'hatidata.statement_classes')).toEqual({
      values: [{ stringValue: 'read' }],
    });
    expect(attribute(root!, 'hatidata.decision')).toBe('forward');
    expect(collector.paths).toEqual(new Set(['POST /v1/traces application/json']));
    expect(collector.bodies[0]).toContain('"stringValue":"hatidata"');
  });

  test('a prepared statement: steps when it is parsed, the engine’s work each time', async () => {
    const connection = await client('request-2');
    for (const value of [1, 2])
      await connection.query({ name: 'p', text: 'SELECT $1::int', values: [value] });
    const [first, second] = await collector.roots('request-2', 2);
    expect([first!.name, second!.name]).toEqual(['postgresql batch', 'postgresql batch']);
    expect(collector.steps(first!)).toEqual([...pipelineSteps, 'execute']);
    expect(collector.steps(second!)).toEqual(['execute']);
  });

  test('a refusal, with its code and no work of the engine', async () => {
    await expect((await client('request-3')).query('ALTER SYSTEM RESET ALL')).rejects.toThrow(
      'Permission denied',
    );
    const [root] = await collector.roots('request-3', 1);
    expect(collector.steps(root!)).toEqual(pipelineSteps.slice(0, -1));
    expect(root!.status).toMatchObject({ code: 2, message: 'never_allowed' });
    expect(attribute(root!, 'error.type')).toBe('never_allowed');
    expect(attribute(root!, 'hatidata.decision')).toBe('refuse');
  });

  test('the request id is the one of the moment', async () => {
    const connection = await client('request-4');
    await connection.query('SELECT 1');
    await connection.query("SET hatidata_request_id = 'request-5'");
    await connection.query('SELECT 2');
    expect(
      (await collector.roots('request-4', 2)).map((root) => collector.steps(root).at(-1)),
    ).toEqual(['execute', 'route']);
    expect(await collector.roots('request-5', 1)).toHaveLength(1);
  });

  test('a traceparent joins the agent’s own trace', async () => {
    const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
    const requestId = `00-${traceId}-${spanId}-00`;
    await (await client(requestId)).query('SELECT 1');
    const [root] = await collector.roots(requestId, 1);
    expect(root).toMatchObject({ traceId, parentSpanId: spanId });
    expect(collector.steps(root!)).toHaveLength(7);
  });

  test('a session that ends in the middle of a statement', async () => {
    const connection = await client('request-6');
    const cut = expect(connection.query('SELECT pg_sleep(600)')).rejects.toThrow('');
    await until(async () => {
      const { rows } = await admin.query(
        "SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(600)%'",
      );
      return rows.length > 0;
    });
    (
      connection as unknown as { connection: { stream: { destroy(): void } } }
    ).connection.stream.destroy();
    await cut;
    expect(await collector.roots('request-6', 1)).toHaveLength(1);
  });

  test('no SQL, no value, no key', async () => {
    const connection = await client(`request-7-${key}`);
    await connection.query('SELECT $1::text AS canaryname', ['canaryvalue']);
    await connection.query("SELECT 'canaryliteral'");
    await expect(connection.query("SELEC 'canaryliteral'")).rejects.toThrow('syntax error');
    await until(() => collector.bodies.join('').includes('syntax_error'));
    for (const secret of ['canary', key.slice(17), 'SELECT', 'pg_sleep'])
      expect(collector.bodies.join('\n')).not.toContain(secret);
  });
});

describe('a collector that is not there', () => {
  test('costs clients nothing, is told once, and the end waits for little', async () => {
    // Takes connections and says nothing.
    const silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const proxy = await startTestProxy({ tracing: { endpoint, samplePercent: 100 } });
    const client = await proxy.client();
    for (let count = 0; count < 500; count += 1) await client.query('SELECT 1');
    await until(() => proxy.logged().includes('traces could not be sent'));
    for (let count = 0; count < 500; count += 1) await client.query('SELECT 1');
    await client.end();
    const begun = performance.now();
    await proxy.stop();
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(proxy.logged().match(/traces could not be sent/g)).toHaveLength(1);
    silent.closeAllConnections();
    silent.close();
  });
});

test('without tracing, none of its packages is loaded', () => {
  const source = resolve(import.meta.dirname, '../../src');
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((path) =>
    path.endsWith('.ts'),
  );
  const containing = (pattern: RegExp): string[] =>
    files.filter((path) => pattern.test(readFileSync(join(source, path), 'utf8')));
  expect(files.length).toBeGreaterThan(100);
  expect(containing(/from '@opentelemetry\//)).toEqual(['metrics/open-telemetry.ts']);
  expect(containing(/open-telemetry\.ts'/)).toEqual(['serve/monitoring.ts']);
  expect(containing(/from '[^']*open-telemetry\.ts'/)).toEqual([]);
});
