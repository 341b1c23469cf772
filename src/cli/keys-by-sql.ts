import { limitsOf } from './api/keys.ts';
import type { LimitOptions } from './api/keys.ts';
import { withClient } from './client.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { renderTable, rowToJson } from './table.ts';
import type { TextRow } from './table.ts';

interface KeyOptions {
  readonly key?: string;
  readonly json?: true;
}

interface CreateOptions extends KeyOptions, LimitOptions {
  readonly scope: string;
  readonly description: string;
}

const asText = { getTypeParser: () => (value: string) => value };

export async function listBySql(context: CommandContext, options: KeyOptions): Promise<void> {
  await withClient(context, options, async (client) => {
    const { fields, rows } = await client.query<(string | null)[]>({
      text: 'SELECT agent_id, scope, created_at, last_used_at, limits FROM _hatidata_keys.active_keys ORDER BY agent_id',
      rowMode: 'array',
      types: asText,
    });
    writeLine(
      context.stdout,
      options.json === true
        ? JSON.stringify(
            rows.map((row) => rowToJson(fields, row)),
            null,
            2,
          )
        : renderTable(fields, rows satisfies readonly TextRow[]),
    );
  });
}

export async function createBySql(
  context: CommandContext,
  agent: string,
  options: CreateOptions,
): Promise<void> {
  const { scope, description } = options;
  const limits = limitsOf(options);
  await issue(context, options, 'SELECT create_api_key($1, $2, $3, $4)', [
    agent,
    scope,
    description,
    limits === undefined ? null : JSON.stringify(limits),
  ]);
}

export async function rotateBySql(
  context: CommandContext,
  agent: string,
  options: KeyOptions,
): Promise<void> {
  await issue(context, options, 'SELECT rotate_api_key($1)', [agent]);
}

/** The secret alone on standard output, so that a script can take it; words for people go beside it. */
async function issue(
  context: CommandContext,
  options: KeyOptions,
  text: string,
  values: readonly (string | null)[],
): Promise<void> {
  const secret = await call(context, options, text, values);
  writeLine(
    context.stdout,
    options.json === true ? JSON.stringify({ agent_id: values[0], api_key: secret }) : secret,
  );
  writeLine(context.stderr, 'Keep this key now; it is not stored and cannot be shown again.');
}

export async function revokeBySql(
  context: CommandContext,
  agent: string,
  options: KeyOptions,
): Promise<void> {
  await call(context, options, 'SELECT revoke_api_key($1)', [agent]);
  writeLine(
    context.stdout,
    options.json === true
      ? JSON.stringify({ agent_id: agent, revoked: true })
      : `The key of ${agent} is revoked.`,
  );
}

async function call(
  context: CommandContext,
  options: KeyOptions,
  text: string,
  values: readonly (string | null)[],
): Promise<string> {
  return await withClient(context, options, async (client) => {
    const { rows } = await client.query<string[]>({ text, values: [...values], rowMode: 'array' });
    const value = rows[0]?.[0];
    if (value === undefined)
      throw new CommandError('The proxy answered without a row; see `hati logs`.');
    return value;
  });
}
