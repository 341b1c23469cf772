import { errorRegistry } from '../src/errors.ts';
import type { ErrorDefinition } from '../src/errors.ts';

/** The table of docs/errors.md, a row for each entry of the registry, in its order. */
export function errorRows(): string[] {
  const head = ['| Code | SQLSTATE | HTTP | Blame | Text | Hint |', '|---|---|---|---|---|---|'];
  const rows = Object.entries<ErrorDefinition>(errorRegistry)
    .map(([code, { sqlstate, http, blame, text, hint }]) =>
      [
        `\`${code}\``,
        sqlstate,
        String(http),
        blame,
        cell(text),
        hint === undefined ? '' : cell(hint),
      ].join(' | '),
    )
    .map((row) => `| ${row} |`.replace('|  |', '| |'));
  return [...head, ...rows];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
