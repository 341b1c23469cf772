/** As much of an OpenAPI 3.1 document as we make and read. */
export interface ApiDocument {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly webhooks: Readonly<Record<string, { readonly post: Operation }>>;
  readonly components: { readonly schemas: Schemas };
}

export type Schemas = Readonly<Record<string, Schema>>;

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, Answer>>;
  readonly 'x-access': AccessNote;
}

/** Who may call it. */
export interface AccessNote {
  readonly credential: 'none' | 'token' | 'token of a login by password' | 'token or key';
  readonly permission?: string;
  readonly roles?: readonly string[];
  /** What an API key needs; null: it is not for keys. */
  readonly scope?: string | null;
}

export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, unknown>>;
  readonly content?: Content;
}

export interface Content {
  readonly 'application/json': { readonly schema: Schema; readonly example?: unknown };
}

export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly properties?: Schemas;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly format?: string;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

const schemaPath = '#/components/schemas/';

/** The name of the schema that it stands for. */
export function refName({ $ref }: Schema): string | undefined {
  return $ref?.slice(schemaPath.length);
}

export function refTo(name: string): string {
  return schemaPath + name;
}

/** What stands behind a reference, with what is said at the reference itself. */
export function resolved(schema: Schema, schemas: Schemas): Schema {
  const name = refName(schema);
  if (name === undefined) return schema;
  const { $ref: _, ...own } = schema;
  return { ...schemas[name], ...own };
}

/** The choices of a schema, without null. */
export function choices({ anyOf, oneOf }: Schema): readonly Schema[] | undefined {
  return (anyOf ?? oneOf)?.filter(({ type }) => type !== 'null');
}
