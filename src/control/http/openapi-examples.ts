import { commonSamples, samplesByTag, type Sample } from '../../api/samples.ts';
import { choices, resolved, type Schema, type Schemas } from './openapi-document.ts';

/**
 * An example of what fits a schema: its own, the one that `src/api/samples.ts` has for the name of a field, else the default, the first of what may be
 * chosen, the least. A test reads each with the schema that it was made from.
 */
export class Examples {
  private readonly samples: Readonly<Record<string, Sample>>;
  private readonly schemas: Schemas;

  constructor(tag: string, schemas: Schemas) {
    this.samples = { ...commonSamples, ...samplesByTag[tag] };
    this.schemas = schemas;
  }

  of(given: Schema): unknown {
    const schema = resolved(given, this.schemas);
    const [choice] = choices(schema) ?? [];
    if (schema.properties !== undefined) return this.object(schema, schema.properties);
    if (schema.const !== undefined) return schema.const;
    if (schema.default !== undefined) return schema.default;
    if (schema.enum !== undefined) return schema.enum[0];
    if (choice !== undefined) return this.of(choice);
    return this.plain(schema);
  }

  private object({ required = [] }: Schema, properties: Schemas): unknown {
    const shown = Object.entries(properties).filter(
      ([name]) => required.includes(name) || this.samples[name] !== undefined,
    );
    return Object.fromEntries(shown.map(([name, schema]) => [name, this.field(name, schema)]));
  }

  private field(name: string, given: Schema): unknown {
    const schema = resolved(given, this.schemas);
    if (schema.const !== undefined) return schema.const;
    if (schema.examples !== undefined) return schema.examples[0];
    const sample = this.samples[name];
    if (sample === undefined || !fits(sample, schema)) return this.of(schema);
    return sample;
  }

  private plain({ type, items, format, minimum = 0 }: Schema): unknown {
    switch (type) {
      case 'array':
        return items === undefined ? [] : [this.of(items)];
      case 'integer':
      case 'number':
        return Math.max(minimum, 0);
      case 'boolean':
        return false;
      case 'object':
        return {};
      default:
        return format === 'date-time' ? this.samples['created_at'] : 'text';
    }
  }
}

/** A name can have values of different kinds in different places. */
function fits(sample: Sample, schema: Schema): boolean {
  if (sample === null) return schema.anyOf?.some(({ type }) => type === 'null') ?? false;
  if (schema.enum !== undefined) return schema.enum.includes(sample);
  return true;
}
