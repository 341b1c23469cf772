import { errorRegistry } from '../src/errors.ts';
import type { ErrorDefinition } from '../src/errors.ts';

export const beginMarker = '<!-- errors:begin -->';
export const endMarker = '<!-- errors:end -->';

/** The rows of docs/errors.md, one for each entry of the registry, in its order. */
export function errorRows(): string[] {
  return Object.entries<ErrorDefinition>(errorRegistry)
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
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
