import { errorRows } from './errors-table.ts';
import { eventRows } from './events-table.ts';
import { metricsRows } from './metrics-table.ts';
import { rolesRows } from './roles-table.ts';
import { scopesTables } from './scopes-table.ts';

export interface GeneratedPage {
  /** From the project's root. */
  readonly path: string;
  /** Between the markers `<!-- generated:begin -->` and `<!-- generated:end -->`. */
  readonly lines: () => readonly string[];
}

export const generatedPages: readonly GeneratedPage[] = [
  { path: 'docs/errors.md', lines: errorRows },
  { path: 'docs/scopes.md', lines: scopesTables },
  { path: 'docs/roles.md', lines: rolesRows },
  { path: 'docs/metrics.md', lines: metricsRows },
  { path: 'docs/webhooks.md', lines: eventRows },
];

const begin = '<!-- generated:begin -->';
const end = '<!-- generated:end -->';

/** The page with its generated part as the code says now. */
export function withGenerated(text: string, { path, lines }: GeneratedPage): string {
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to === -1) throw new Error(`${path} has lost its markers ${begin}, ${end}`);
  return `${text.slice(0, from)}${begin}\n${lines().join('\n')}\n${text.slice(to)}`;
}
