/**
 * Reads `fixtures/*.sql`. A file opens with where its queries come from; each query follows a heading:
 *
 *     -- # what the tool does at that moment
 *     -- $1 int8 = 'shop.orders'::regclass     (its parameter, typed as the tool types it; an SQL expression)
 *     -- sees: orders                          (a part of a value of its rows, or its whole command tag)
 *     SELECT …;
 *
 * Instead of `sees`, `-- no rows: why`. With `-- simple only`, the text holds several statements, which Parse never takes.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface ToolQuery {
  /** The name of the file. */
  readonly tool: string;
  readonly title: string;
  readonly text: string;
  readonly parameters: readonly Parameter[];
  /** Empty where the database has nothing to show. */
  readonly sees: readonly string[];
  readonly simpleOnly: boolean;
}

export interface Parameter {
  readonly type: keyof typeof typeIds;
  readonly expression: string;
}

/** Of pg_type; with 0, the server infers the type. */
export const typeIds = {
  bool: 16,
  name: 19,
  int8: 20,
  int4: 23,
  text: 25,
  oid: 26,
  varchar: 1043,
  'text[]': 1009,
  'varchar[]': 1015,
  unknown: 0,
} as const;

const directory = join(import.meta.dirname, 'fixtures');

export function readToolQueries(from = directory): ToolQuery[] {
  return readdirSync(from)
    .filter((name) => name.endsWith('.sql'))
    .toSorted()
    .flatMap((name) =>
      parse(name.slice(0, -'.sql'.length), readFileSync(join(from, name), 'utf8')),
    );
}

function parse(tool: string, file: string): ToolQuery[] {
  const [, ...blocks] = file.split(/^-- # /m);
  return blocks.map((block) => {
    const [title = '', ...lines] = block.split('\n');
    const start = lines.findIndex((line) => !line.startsWith('-- '));
    const notes = lines.slice(0, start).map((line) => line.slice('-- '.length));
    const sees = valuesOf(notes, /^sees: (.*)$/);
    const hasNothing = valuesOf(notes, /^no rows: (.+)$/).length === 1;
    if (sees.length > 0 === hasNothing)
      throw new Error(`${tool}: "${title}" needs sees, or no rows`);
    return {
      tool,
      title,
      text: lines.slice(start).join('\n').trim(),
      parameters: notes.flatMap((note) => {
        const found = /^\$\d+ (\S+) = (.+)$/.exec(note);
        return found ? [{ type: found[1] as Parameter['type'], expression: found[2]! }] : [];
      }),
      sees,
      simpleOnly: notes.includes('simple only'),
    };
  });
}

function valuesOf(notes: readonly string[], pattern: RegExp): string[] {
  return notes.flatMap((note) => pattern.exec(note)?.[1] ?? []);
}
