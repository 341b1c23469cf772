/** Sends a tool's query as the tool would, by either protocol, over a connection of its own making. */
import { columns, frontend, type RawClient, type Received } from '../fixtures/raw-client.ts';
import { errorField } from '../../src/wire/error-fields.ts';
import { typeIds, type ToolQuery } from './fixtures.ts';

export type Protocol = 'simple' | 'extended';

export interface Outcome {
  /** Of all rows. */
  readonly values: readonly (string | null)[];
  readonly rows: number;
  readonly tags: readonly string[];
  /** SQLSTATE and text of the first error. */
  readonly error: { readonly code: string; readonly message: string } | undefined;
}

export async function runToolQuery(
  client: RawClient,
  { text, parameters }: Pick<ToolQuery, 'text' | 'parameters'>,
  protocol: Protocol,
  values: readonly string[],
): Promise<Outcome> {
  if (protocol === 'simple') {
    client.send(frontend.query(withLiterals(text, parameters, values)));
  } else {
    client.send(
      frontend.parse(
        '',
        text,
        parameters.map(({ type }) => typeIds[type]),
      ),
      frontend.bind('', '', values),
      frontend.describe('P', ''),
      frontend.execute(''),
      frontend.sync(),
    );
  }
  return outcome(await client.untilReady());
}

/** As drivers write parameters into a simple query: a quoted literal with its type. */
function withLiterals(
  text: string,
  parameters: ToolQuery['parameters'],
  values: readonly string[],
): string {
  return text.replaceAll(/\$(\d+)/g, (_, digits: string) => {
    const at = Number(digits) - 1;
    const literal = `'${values[at]!.replaceAll("'", "''")}'`;
    const { type } = parameters[at]!;
    return type === 'unknown' ? literal : `(${literal}::${type})`;
  });
}

function outcome(messages: readonly Received[]): Outcome {
  const bodies = (type: string): Buffer[] =>
    messages.flatMap((message) => (message.type === type ? [message.body] : []));
  const rows = bodies('D');
  const [error] = bodies('E');
  return {
    values: rows.flatMap(columns),
    rows: rows.length,
    tags: bodies('C').map((body) => body.toString('utf8', 0, body.length - 1)),
    error: error && { code: errorField(error, 'C') ?? '', message: errorField(error, 'M') ?? '' },
  };
}
