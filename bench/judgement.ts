import { parseArgs } from 'node:util';
import { authorize } from '../src/policy/authorize.ts';
import { readonlyAuthority } from '../src/policy/authority.ts';
import { emptyCatalogue, type Catalogue } from '../src/policy/catalogue.ts';
import { analyse } from '../src/sql/analyse.ts';
import { loadParser, parse } from '../src/sql/parse.ts';
import { startReader } from './reader.ts';

/**
 * What judging a statement costs, without a socket: microseconds a text, median of the rounds. `known` is a text that was
 * read and let pass before, `literals` one that differs from such a text in a number, `parse` is PostgreSQL's parser alone, `new`
 * all that is done with a text whose like was never seen.
 */

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '9' } } });
const rounds = Number(values.rounds);
const textsPerRound = 3_000;

const shapes: Readonly<Record<string, (n: number) => string>> = {
  'SELECT 1': (n) => `SELECT ${n}`,
  'pgbench -S': (n) => `SELECT abalance FROM pgbench_accounts WHERE aid = ${n};`,
  'short, with functions': (n) =>
    `SELECT count(*), lower(name) FROM users WHERE created_at > now() - interval '1 day' AND id <> ${n} GROUP BY 2`,
  'report, 0.7 kB': (n) => `
    WITH recent AS (
      SELECT o.id, o.customer_id, o.total, date_trunc('month', o.created_at) AS month
      FROM orders o WHERE o.created_at >= now() - interval '90 days' AND o.status IN ('paid', 'shipped')
    )
    SELECT c.region, r.month, count(DISTINCT r.customer_id) AS customers, sum(r.total)::numeric(12, 2) AS revenue,
           rank() OVER (PARTITION BY r.month ORDER BY sum(r.total) DESC) AS place,
           coalesce(avg(r.total) FILTER (WHERE r.total > ${n}), 0) AS large
    FROM recent r JOIN customers c ON c.id = r.customer_id LEFT JOIN countries y ON y.code = c.country
    WHERE c.deleted_at IS NULL AND (c.email LIKE '%@example.com' OR y.name ~* '^a')
    GROUP BY c.region, r.month HAVING count(*) > 3 ORDER BY r.month, revenue DESC LIMIT 50`,
};

// A database with a user's function, as most have one: the rules then have something to look names up in.
const own = {
  schema: 'public',
  path: 'public.risk',
  trust: 'owners',
  takesOne: true,
  takes: { least: 1, most: 1 },
} as const;
const catalogue: Catalogue = {
  ...emptyCatalogue,
  functions: new Map([['risk', [own]]]),
  defaultPath: ['$user', 'public'],
};
const searched: ReadonlySet<string> = new Set(['public']);

await loadParser();
const reader = await startReader();

function readAndJudge(_text: string, bytes: Buffer): void {
  const classified = reader.read(bytes);
  if (classified instanceof Promise) throw new Error('the text is not small');
  if (authorize(readonlyAuthority, classified, catalogue, searched)) throw new Error('refused');
}

const steps: Readonly<Record<string, (text: string, bytes: Buffer) => void>> = {
  known: readAndJudge,
  literals: readAndJudge,
  parse: (text) => void parse(text),
  new: (text) => {
    if (authorize(readonlyAuthority, analyse(text), catalogue, searched))
      throw new Error('refused');
  },
};

let next = 0;
const measured = new Map<string, number[]>();
for (let round = -2; round < rounds; round += 1) {
  for (const [shape, spell] of Object.entries(shapes)) {
    for (const [step, run] of Object.entries(steps)) {
      const isKnown = step === 'known';
      const texts = Array.from({ length: textsPerRound }, () => spell(isKnown ? 7 : (next += 1)));
      const inputs = texts.map((text) => [text, Buffer.from(text)] as const);
      if (isKnown) run(...inputs[0]!);
      const start = process.hrtime.bigint();
      for (const [text, bytes] of inputs) run(text, bytes);
      const micros = Number(process.hrtime.bigint() - start) / 1_000 / textsPerRound;
      // The first rounds warm the compiler up.
      if (round >= 0)
        measured.set(`${shape}|${step}`, [...(measured.get(`${shape}|${step}`) ?? []), micros]);
    }
  }
}
await reader.close();

console.log(`µs a text, median of ${rounds} rounds of ${textsPerRound}`);
console.log(
  ['', ...Object.keys(steps)]
    .map((name) => name.padStart(12))
    .join('')
    .trimStart()
    .padStart(60),
);
for (const shape of Object.keys(shapes)) {
  const cells = Object.keys(steps).map((step) =>
    median(measured.get(`${shape}|${step}`)!)
      .toFixed(2)
      .padStart(12),
  );
  console.log(shape.padEnd(24) + cells.join(''));
}

function median(list: readonly number[]): number {
  return list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)]!;
}
