/** Framing, scanning, reading and judging, without a socket. */
import { authorize } from '../../src/policy/authorize.ts';
import { authorityOf, bundles, readonlyAuthority } from '../../src/policy/authority.ts';
import { emptyCatalogue, type Catalogue } from '../../src/policy/catalogue.ts';
import { parseGrants } from '../../src/policy/limits.ts';
import { startReader } from '../reader.ts';
import type { ClassifiedText } from '../../src/sql/statement.ts';
import { BackendScanner } from '../../src/wire/backend-scanner.ts';
import { FrontendFramer } from '../../src/wire/framing.ts';
import { MessageWriter } from '../../src/wire/writer.ts';
import { frontend as f } from '../../test/fixtures/raw-client.ts';
import type { Scenario } from './scenario.ts';

const times = 50;
const batch = Buffer.concat([
  f.parse('', 'SELECT abalance FROM pgbench_accounts WHERE aid = $1'),
  f.bind('', '', ['7']),
  f.describe('P', ''),
  f.execute(''),
  f.sync(),
]);
const batchMessages = 5;

function framing(name: string, chunkBytes: number): Scenario {
  const stream = Buffer.concat(Array.from({ length: times }, () => batch));
  const chunks = cut(stream, chunkBytes);
  return {
    name: `framing, ${name}`,
    units: times * batchMessages,
    run: () => {
      const framer = new FrontendFramer(1 << 20);
      let messages = 0;
      for (const chunk of chunks) {
        framer.push(chunk);
        while (framer.next() !== undefined) messages += 1;
      }
      expect(messages, times * batchMessages);
    },
  };
}

const answerRows = 10_000;

function scanning(): Scenario {
  const row = new MessageWriter().int16(2).int32(4).text('1234').int32(96).text('x'.repeat(96));
  const rows = Array.from({ length: answerRows }, () => row.finish('D'.charCodeAt(0)));
  const end = [
    new MessageWriter().cstring(`SELECT ${answerRows}`).finish('C'.charCodeAt(0)),
    new MessageWriter().text('I').finish('Z'.charCodeAt(0)),
  ];
  const chunks = cut(Buffer.concat([...rows, ...end]), 8_192);
  return {
    name: 'scanning, an answer of 10,000 rows',
    units: answerRows,
    run: () => {
      let ends = 0;
      const scanner = new BackendScanner({
        onHeader: () => undefined,
        onMessage: () => void (ends += 1),
      });
      for (const chunk of chunks) scanner.push(chunk);
      expect(ends, 1);
    },
  };
}

function cut(stream: Buffer, bytes: number): Buffer[] {
  return Array.from({ length: Math.ceil(stream.length / bytes) }, (_, at) =>
    stream.subarray(at * bytes, (at + 1) * bytes),
  );
}

// A database with a function of the user's, as most have one: the rules have something to look names up in.
const catalogue: Catalogue = {
  ...emptyCatalogue,
  functions: new Map([
    [
      'risk',
      [
        {
          schema: 'public',
          path: 'public.risk',
          trust: 'owners',
          takesOne: true,
          takes: { least: 1, most: 1 },
        },
      ],
    ],
  ]),
  defaultPath: ['$user', 'public'],
};
const searched: ReadonlySet<string> = new Set(['public']);

const shapes = {
  'pgbench -S': (n: number) => `SELECT abalance FROM pgbench_accounts WHERE aid = ${n};`,
  report: (n: number) => `
    WITH recent AS (
      SELECT o.id, o.customer_id, o.total, date_trunc('month', o.created_at) AS month
      FROM public.orders o WHERE o.created_at >= now() - interval '90 days' AND o.status IN ('paid', 'shipped')
    )
    SELECT c.region, r.month, count(DISTINCT r.customer_id) AS customers, sum(r.total)::numeric(12, 2) AS revenue,
           coalesce(avg(r.total) FILTER (WHERE r.total > ${n}), 0) AS large
    FROM recent r JOIN public.customers c ON c.id = r.customer_id
    GROUP BY c.region, r.month HAVING count(*) > 3 ORDER BY r.month, revenue DESC LIMIT 50`,
} as const;

/** @returns what they need, to be closed when all have run. */
export async function pureScenarios(): Promise<{
  readonly scenarios: readonly Scenario[];
  readonly close: () => Promise<void>;
}> {
  const reader = await startReader();
  let next = 0;
  const read = (text: string): ClassifiedText => {
    const classified = reader.read(Buffer.from(text));
    if (classified instanceof Promise) throw new Error('the text is not small');
    return classified;
  };
  const each = (name: string, act: () => unknown): Scenario => ({
    name,
    units: times,
    run: () => {
      for (let count = 0; count < times; count += 1) act();
    },
  });
  const reading = Object.entries(shapes).flatMap(([shape, spell]) => [
    each(`reading ${shape}, known`, () => read(spell(7))),
    each(`reading ${shape}, new literals`, () => read(spell((next += 1)))),
    // A name that was never seen: seven digits each time, for texts of one length.
    each(`reading ${shape}, new`, () =>
      read(
        spell(7).replace(
          /^\s*(?:SELECT|WITH recent AS \(\s*SELECT)/,
          `$& ${1e6 + (next += 1)} AS n${1e6 + next},`,
        ),
      ),
    ),
  ]);
  const limited = authorityOf(
    new Set(bundles.readonly),
    parseGrants(
      JSON.stringify({
        tables: ['pgbench_accounts', 'orders', 'customers'].map((name) => `public.${name}`),
      }),
    ).limits,
    new Set(),
  );
  const judging = Object.entries(shapes).flatMap(([shape, spell]) => {
    const text = read(spell(7));
    return Object.entries({ readonly: readonlyAuthority, 'with limits': limited }).map(
      ([who, authority]) =>
        each(`judging ${shape}, ${who}`, () => {
          text.passedBy = undefined;
          if (authorize(authority, text, catalogue, searched)) throw new Error('refused');
        }),
    );
  });
  return {
    scenarios: [
      framing('in chunks of 7 bytes', 7),
      framing('in chunks of 1,000 bytes', 1_000),
      scanning(),
      ...reading,
      ...judging,
    ],
    close: () => reader.close(),
  };
}

function expect(found: number, wanted: number): void {
  if (found !== wanted) throw new Error(`${found} in place of ${wanted}`);
}
