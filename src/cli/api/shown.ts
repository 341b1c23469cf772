import { types } from 'pg';
import { writeLine } from '../context.ts';
import type { CommandContext } from '../context.ts';
import { printable, renderTable } from '../table.ts';
import type { ApiOptions } from './server.ts';

type Shown = Pick<ApiOptions, 'json'>;

export function showJson({ stdout }: CommandContext, body: unknown): void {
  writeLine(stdout, JSON.stringify(body, null, 2));
}

/** A table of these fields, or all of everything as JSON. */
export function showList<T extends object>(
  context: CommandContext,
  { json }: Shown,
  items: readonly T[],
  fields: readonly (keyof T & string)[],
): void {
  if (json === true) {
    showJson(context, items);
    return;
  }
  const columns = fields.map((name) => ({
    name,
    dataTypeID: items.some((item) => typeof item[name] === 'number')
      ? types.builtins.INT4
      : types.builtins.TEXT,
  }));
  const rows = items.map((item) => fields.map((name) => textOf(item[name])));
  writeLine(context.stdout, renderTable(columns, rows));
}

/** A line for each field. */
export function showOne(context: CommandContext, { json }: Shown, item: object): void {
  if (json === true) {
    showJson(context, item);
    return;
  }
  const lines = flattened(item);
  const width = Math.max(...lines.map(([name]) => name.length));
  for (const [name, value] of lines) writeLine(context.stdout, `${name.padEnd(width)}  ${value}`);
}

/** A sentence where nothing but the deed is to be told. */
export function showDone(
  context: CommandContext,
  { json }: Shown,
  body: unknown,
  sentence: string,
): void {
  if (json === true) showJson(context, body);
  else writeLine(context.stdout, printable(sentence));
}

/** The secret alone on standard output, so that a script can take it; words for people go beside it. */
export function showSecret(
  context: CommandContext,
  { json }: Shown,
  { body, secret, words }: { body: unknown; secret: string; words: readonly string[] },
): void {
  if (json === true) showJson(context, body);
  else writeLine(context.stdout, printable(secret));
  for (const line of words) writeLine(context.stderr, printable(line));
}

function flattened(item: object, prefix = ''): (readonly [string, string])[] {
  return Object.entries(item).flatMap(([name, value]: [string, unknown]) =>
    typeof value === 'object' && value !== null && !isPlain(value)
      ? flattened(value, `${prefix}${name}.`)
      : [[printable(prefix + name), printable(textOf(value))] as const],
  );
}

function isPlain(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.every((each) => typeof each !== 'object');
}

function textOf(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (isPlain(value)) return value.length === 0 ? '-' : value.join(', ');
  return typeof value === 'string' ? value : JSON.stringify(value);
}
