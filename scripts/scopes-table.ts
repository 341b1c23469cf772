import { bundles, scopeNames } from '../src/policy/authority.ts';
import { functionFamilies } from '../src/policy/function-families.ts';
import { reviewedExtensionNames } from '../src/policy/function-trust.ts';
import { requirements, type Need } from '../src/policy/requirements.ts';

/** The generated part of docs/scopes.md, line by line. */
export function scopesTables(): string[] {
  return [
    ...table(
      ['Statements', 'Scopes', 'For keys with limits'],
      Object.values(requirements).map(({ examples, needs, limited }) => [
        examples,
        inWords(needs),
        needs === 'never' ? '' : limited ? 'within them' : 'no',
      ]),
    ),
    '',
    ...table(
      ['Bundle', 'Scopes'],
      Object.entries(bundles).map(([name, members]) => [
        `\`${name}\``,
        members.length === scopeNames.length ? 'all' : members.map(code).join(', '),
      ]),
    ),
    '',
    ...table(
      ["PostgreSQL's own functions that are not simply allowed", 'Names', 'Who may call them'],
      functionFamilies.map(({ reason, names, never, scope }) => [
        reason,
        `\`${names.source.replaceAll('|', '\\|')}\``,
        never
          ? 'nobody'
          : scope
            ? `keys with ${code(scope)}, without limits`
            : 'keys that may run DO',
      ]),
    ),
    '',
    `Reviewed extensions: ${reviewedExtensionNames.map(code).join(', ')}.`,
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}

function inWords(needs: Need): string {
  if (needs === 'never') return 'nobody';
  if (needs === 'anyKey') return 'any key';
  return 'anyOf' in needs
    ? needs.anyOf.map(code).join(' or ')
    : needs.allOf.map(code).join(' and ');
}

function code(text: string): string {
  return `\`${text}\``;
}
