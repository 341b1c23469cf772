import { choices, resolved, type Schema, type Schemas } from '../openapi-document.ts';
import { code, escaped, prose } from './html.ts';

export interface FieldContext {
  readonly schemas: Schemas;
  /** Of a request it is said what must be there, of an answer what need not. */
  readonly of: 'request' | 'answer';
}

/** The fields of an object, and of those within it, as lists. Empty for what has none. */
export function fieldsOf(given: Schema, context: FieldContext): string {
  const { schemas } = context;
  const schema = resolved(given, schemas);
  const variants = (choices(schema) ?? []).filter(
    (each) => resolved(each, schemas).properties !== undefined,
  );
  if (variants.length > 1)
    return variants.map((each) => `<p>Either:</p>\n${fieldsOf(each, context)}`).join('\n');
  if (variants.length === 1) return fieldsOf(variants[0]!, context);
  if (schema.items !== undefined) return fieldsOf(schema.items, context);
  const fields = Object.entries(schema.properties ?? {});
  if (fields.length === 0) return '';
  const { required = [] } = schema;
  const items = fields.map(([name, each]) =>
    fieldItem({ name, schema: each, isRequired: required.includes(name) }, context),
  );
  return `<ul class="fields">\n${items.join('\n')}\n</ul>`;
}

export interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
  readonly description?: string | undefined;
}

export function fieldItem(field: Field, context: FieldContext): string {
  const { name, description } = field;
  const { schemas } = context;
  const schema = resolved(field.schema, schemas);
  const said = description ?? schema.description ?? schema.items?.description;
  const limits = limitsOf(schema, schemas);
  return [
    `<li>${code(name)} <span class="type">${escaped(typeOf(schema, schemas))}</span>`,
    presence(field, context),
    said === undefined ? '' : `<p>${prose(said)}</p>`,
    limits === '' ? '' : `<p class="limits">${limits}</p>`,
    fieldsOf(schema, context),
    '</li>',
  ].join('');
}

function presence({ isRequired }: Field, { of }: FieldContext): string {
  if (of === 'request') return isRequired ? ' <span class="must">required</span>' : '';
  return isRequired ? '' : ' <span class="type">not always there</span>';
}

function typeOf(given: Schema, schemas: Schemas): string {
  const schema = resolved(given, schemas);
  const several = schema.anyOf ?? schema.oneOf;
  if (several !== undefined)
    return [...new Set(several.map((each) => typeOf(each, schemas)))].join(' or ');
  if (schema.items !== undefined) return `${typeOf(schema.items, schemas)}[]`;
  if (schema.format === 'date-time') return 'time';
  if (Array.isArray(schema.type)) return schema.type.join(' or ');
  return String(schema.type ?? 'any value');
}

/** What a value must be beside its type, in words. */
function limitsOf(given: Schema, schemas: Schemas): string {
  const parts = partsOf(resolved(given, schemas), schemas);
  return [...new Set(parts)].join(' · ');
}

function partsOf(schema: Schema, schemas: Schemas): readonly string[] {
  const { items, format, pattern } = schema;
  return [
    schema.default === undefined ? '' : `default ${code(JSON.stringify(schema.default))}`,
    schema.const === undefined ? '' : `always ${code(JSON.stringify(schema.const))}`,
    schema.enum === undefined ? '' : `one of ${schema.enum.map((e) => code(String(e))).join(', ')}`,
    range(schema.minItems, schema.maxItems, ' elements'),
    range(schema.minLength, schema.maxLength, ' characters'),
    range(schema.minimum, schema.maximum, ''),
    format === undefined || format === 'date-time' ? '' : escaped(format),
    // The format says it in a word.
    pattern === undefined || format !== undefined ? '' : code(pattern),
    ...(choices(schema) ?? []).flatMap((each) => partsOf(resolved(each, schemas), schemas)),
    ...(items === undefined ? [] : partsOf(resolved(items, schemas), schemas)),
  ].filter((part) => part !== '');
}

function range(from: number | undefined, to: number | undefined, of: string): string {
  const least = from === Number.MIN_SAFE_INTEGER ? undefined : from;
  const most = to === Number.MAX_SAFE_INTEGER ? undefined : to;
  const shown = (value: number): string => value.toLocaleString('en');
  if (least !== undefined && most !== undefined) return `${shown(least)} to ${shown(most)}${of}`;
  if (most !== undefined) return `at most ${shown(most)}${of}`;
  return least === undefined || least === 0 ? '' : `at least ${shown(least)}${of}`;
}
