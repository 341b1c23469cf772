/** docs/compatibility.md, from what a run measured. */
import { driverFeatures, toolFeatures } from './features.ts';
import type { Cell, DriverResult, Refusal } from './judge.ts';

export interface Results {
  /** By suite: each is a table. */
  readonly suites: readonly { readonly title: string; readonly drivers: readonly DriverResult[] }[];
  readonly refusals: readonly Refusal[];
  /** Version of the engine. */
  readonly postgres: string;
}

const marks: Readonly<Record<Cell, string>> = {
  yes: '✓',
  refused: 'refused',
  shared: 'shared',
  unsupported: '–',
  failure: '✗',
};

/** @param date of the measurement; a run that only compares keeps the page's. */
export function renderPage({ suites, refusals, postgres }: Results, date: string): string {
  const inOrder = suites.toSorted((one, two) => (one.title < two.title ? -1 : 1));
  const lines = [
    '# Drivers and tools',
    '',
    '<!-- Written by scripts/compatibility.ts; do not edit. -->',
    '',
    `Measured ${date}, with PostgreSQL ${postgres}, by`,
    '',
    '```sh',
    'npm run compatibility -- --write',
    '```',
    '',
    'Each driver and tool runs the same code twice: against PostgreSQL itself, and through a proxy with an admin key, which acts as the',
    'same role; all share six engine connections there (`pool.mode = "auto"`). What it sees (rows, types, command tags, error fields, notices,',
    'parameters) must be the same. `test/clients/run` does it again in CI, and fails where the two differ or where this page says something else.',
    '',
    '- ✓: it works, and directly and through HatiData the same was seen',
    '- –: the driver has no such thing, so neither was asked',
    ...meanings.flatMap(({ cell, meaning }) => explained(refusals, cell, meaning)),
    '',
    '## Versions',
    '',
    '| Driver or tool | Version |',
    '| --- | --- |',
    ...inOrder.flatMap(({ drivers }) =>
      drivers.map(({ name, version }) => `| ${name} | ${version} |`),
    ),
    ...inOrder.flatMap(({ title, drivers }) => ['', `## ${title}`, '', ...table(drivers)]),
    '',
    '## What the names mean',
    '',
    '"Others" are neighbours on connections of their own, who run transactions between the steps.',
    ...[...driverFeatures, ...toolFeatures].flatMap(({ title, features }) => [
      '',
      `### ${title}`,
      '',
      '| Name | What is done |',
      '| --- | --- |',
      ...features.map(({ name, does }) => `| ${name} | ${does.replaceAll('|', '\\|')} |`),
    ]),
  ];
  return `${lines.join('\n')}\n`;
}

const meanings = [
  { cell: 'refused', meaning: 'PostgreSQL would do it, HatiData does not, by decision' },
  {
    cell: 'shared',
    meaning:
      'it works with `pool.mode = "session"`; otherwise the next transaction may come to another engine connection',
  },
] as const;

function explained(
  refusals: readonly Refusal[],
  cell: Refusal['cell'],
  meaning: string,
): readonly string[] {
  const own = refusals.filter((each) => each.cell === cell);
  if (own.length === 0) return [];
  return [
    `- ${cell}: ${meaning}:`,
    ...own.map(({ feature, sqlstate, why }) => `  - ${feature} (${sqlstate}): ${why}`),
  ];
}

/** @returns the day that the page names; "never" for a page that names none. */
export function dateOf(page: string): string {
  return /^Measured (\d{4}-\d\d-\d\d)/m.exec(page)?.[1] ?? 'never';
}

/** Drivers stand beside each other; tools, which have little in common, below each other. */
function table(drivers: readonly DriverResult[]): string[] {
  const features = driverFeatures.flatMap((group) => group.features);
  const isDrivers = features.every(({ name }) => drivers.every(({ cells }) => cells.has(name)));
  const rows = isDrivers
    ? features.map(({ name }) => [name, ...drivers.map(({ cells }) => marks[cells.get(name)!])])
    : drivers.flatMap((tool) =>
        [...tool.cells].map(([name, cell]) => [tool.name, name, marks[cell]]),
      );
  const head = isDrivers ? ['', ...drivers.map(({ name }) => name)] : ['Tool', 'What', ''];
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
