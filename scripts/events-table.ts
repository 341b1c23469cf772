import { z } from 'zod';
import { eventData } from '../src/api/events.ts';

/** The generated part of docs/webhooks.md: each event that is sent, when, and the fields of its `data`. */
export function eventRows(): string[] {
  return Object.entries<z.ZodObject>(eventData).flatMap(([type, schema]) => [
    `### ${type}`,
    '',
    `${schema.description}.`,
    '',
    '| Field | Is | Meaning |',
    '|---|---|---|',
    ...Object.entries(schema.shape).map(([name, field]) => row(name, field as z.ZodType)),
    '',
  ]);
}

function row(name: string, field: z.ZodType): string {
  const { description = '' } = field;
  return `| \`${name}\` | ${typeOf(field)} | ${description} |`.replaceAll('|  |', '| |');
}

function typeOf(field: z.ZodType): string {
  const { type, format, items, enum: values, const: only, anyOf } = z.toJSONSchema(field);
  if (anyOf !== undefined) return 'a time or null';
  if (only !== undefined) return JSON.stringify(only);
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(' or ');
  if (format === 'date-time') return 'a time';
  if (items !== undefined) return 'list of strings';
  return String(type);
}
