import { Command } from 'commander';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { performance } from 'node:perf_hooks';
import type { QueryArrayResult } from 'pg';
import { withClient } from './client.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';
import { renderTable, rowToJson } from './table.ts';
import type { TextRow } from './table.ts';

interface QueryOptions {
  readonly file?: string;
  readonly json?: true;
  readonly key?: string;
}

/** Values exactly as the server wrote them; the table shows them so, and JSON decides type by type. */
const asText = { getTypeParser: () => (value: string) => value };

export function queryCommand(context: CommandContext): Command {
  return new Command('query')
    .description('run SQL through the proxy')
    .argument('[sql]', 'the statement, or several')
    .option('-f, --file <path>', 'read the SQL from a file')
    .option('--json', 'rows as a JSON array (of arrays, where the SQL holds several statements)')
    .option(
      '--key <key>',
      'an API key (better: HATIDATA_API_KEY); without it, the local administrator',
    )
    .addHelpText(
      'after',
      `
Examples:
  hati query "SELECT * FROM products ORDER BY price DESC LIMIT 5"
  hati query -f report.sql --json
  HATIDATA_API_KEY=… hati query "SELECT count(*) FROM products"`,
    )
    .action(async (sql: string | undefined, options: QueryOptions) => {
      const text = sql ?? readSql(context, options.file);
      await withClient(context, options, async (client) => {
        const start = performance.now();
        // An array when the text holds several statements.
        const answer: unknown = await client.query({ text, rowMode: 'array', types: asText });
        const results = (Array.isArray(answer) ? answer : [answer]) as QueryArrayResult<
          (string | null)[]
        >[];
        print(context, results, options.json === true);
        const rows = results.reduce((sum, { rowCount }) => sum + (rowCount ?? 0), 0);
        const seconds = ((performance.now() - start) / 1000).toFixed(3);
        writeLine(context.stderr, `${rows} ${rows === 1 ? 'row' : 'rows'} in ${seconds} s`);
      });
    });
}

function readSql(context: CommandContext, file: string | undefined): string {
  if (file === undefined) {
    throw new CommandError('Give the SQL as an argument, or a file of it with -f.', {
      exitCode: 2,
    });
  }
  try {
    return readFileSync(resolve(context.cwd, file), 'utf8');
  } catch (error) {
    throw new CommandError(`${file} cannot be read; check that it is there and who owns it.`, {
      cause: error,
    });
  }
}

function print(
  { stdout }: CommandContext,
  results: readonly QueryArrayResult<(string | null)[]>[],
  isJson: boolean,
): void {
  if (isJson) {
    const all = results.map(({ fields, rows }) => rows.map((row) => rowToJson(fields, row)));
    writeLine(stdout, JSON.stringify(all.length === 1 ? all[0] : all, null, 2));
    return;
  }
  for (const { command, fields, rows, rowCount } of results) {
    if (fields.length > 0)
      writeLine(stdout, renderTable(fields, rows satisfies readonly TextRow[]));
    else if (command) writeLine(stdout, rowCount === null ? command : `${command} ${rowCount}`);
  }
}
