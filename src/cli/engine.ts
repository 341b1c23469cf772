import { Command } from 'commander';
import { prepareEngine } from '../engine/prepare.ts';
import { CommandError, writeLine } from './context.ts';
import type { CommandContext } from './context.ts';

interface PrepareFlags {
  readonly dryRun?: true;
  readonly newPasswords?: true;
  readonly json?: true;
}

export function engineCommand(context: CommandContext): Command {
  const group = new Command('engine').description('a PostgreSQL of your own');
  group.addCommand(
    new Command('prepare')
      .description(
        'make the two roles that HatiData logs in with, with the least privileges that work',
      )
      .argument('<url>', "an administrator's URL of the database, postgres://…")
      .option('--dry-run', 'print the SQL and change nothing')
      .option(
        '--new-passwords',
        'give existing roles new passwords; running proxies need the new URLs',
      )
      .option('--json', 'as JSON')
      .addHelpText(
        'after',
        `
Examples:
  hati engine prepare postgres://postgres@db.internal/app --dry-run
  hati engine prepare postgres://postgres@db.internal/app
Safe to repeat: what is there already is left as it is or put right.`,
      )
      .action((url: string, flags: PrepareFlags) => prepare(context, url, flags)),
  );
  return group;
}

async function prepare(context: CommandContext, url: string, flags: PrepareFlags): Promise<void> {
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new CommandError('The engine is named by a URL: postgres://user@host:5432/database', {
      exitCode: 2,
    });
  }
  const dryRun = flags.dryRun === true;
  const done = await prepareEngine(url, { dryRun, newPasswords: flags.newPasswords === true });
  if (flags.json === true) {
    const urls = dryRun
      ? {}
      : { engine_url: done.urls.writer, engine_reader_url: done.urls.reader };
    writeLine(
      context.stdout,
      JSON.stringify(
        { dry_run: dryRun, statements: done.statements, ...urls, notes: done.notes },
        null,
        2,
      ),
    );
    return;
  }
  writeLine(context.stdout, dryRun ? '-- would run:' : '-- ran:');
  for (const statement of done.statements) writeLine(context.stdout, `${statement};`);
  for (const note of done.notes) writeLine(context.stdout, `-- note: ${note}`);
  if (dryRun) return;
  const { writer, reader } = done.urls;
  if (writer === undefined && reader === undefined) {
    writeLine(
      context.stdout,
      '-- Both roles kept their passwords; --new-passwords gives them new ones.',
    );
    return;
  }
  writeLine(
    context.stdout,
    '-- Give HatiData these; they are not stored and cannot be shown again:',
  );
  if (writer !== undefined) writeLine(context.stdout, `HATIDATA_ENGINE_URL=${writer}`);
  if (reader !== undefined) writeLine(context.stdout, `HATIDATA_ENGINE_READER_URL=${reader}`);
}
