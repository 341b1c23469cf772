import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CommandError } from '../context.ts';
import type { CommandContext } from '../context.ts';

/** As shells count it: 128 + SIGINT. */
const exitCodeInterrupted = 130;

export function isAtTerminal({ stdin, stderr }: CommandContext): boolean {
  return stdin.isTTY === true && stderr.isTTY === true;
}

/** A line that a person types, on a terminal. `isSecret`: without an echo. */
export async function ask(
  { stdin, stderr }: CommandContext,
  question: string,
  { isSecret = false }: { readonly isSecret?: boolean } = {},
): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  // In this mode readline echoes by itself, to its output, and the terminal does not.
  const lines = createInterface({
    input: stdin,
    output: isSecret ? nowhere : stderr,
    terminal: true,
  });
  const { promise: interrupted, reject } = Promise.withResolvers<never>();
  const interrupt = (): void =>
    reject(new CommandError('Interrupted.', { exitCode: exitCodeInterrupted }));
  lines.once('SIGINT', interrupt);
  lines.once('close', interrupt);
  if (isSecret) stderr.write(question);
  try {
    return await Promise.race([lines.question(question), interrupted]);
  } finally {
    lines.close();
    if (isSecret) stderr.write('\n');
  }
}

/** Before what cannot be undone. Nobody to ask: it must have been said with --yes. */
export async function confirm(
  context: CommandContext,
  act: string,
  { yes }: { readonly yes?: true },
): Promise<void> {
  if (yes === true) return;
  if (!isAtTerminal(context)) {
    throw new CommandError(`${act} cannot be undone; say --yes to do it.`, { exitCode: 2 });
  }
  await yesTo(context, `${act} cannot be undone. Go on?`);
}

/** After something was shown. Nobody to ask: it was wanted. */
export async function agree(
  context: CommandContext,
  question: string,
  { yes }: { readonly yes?: true },
): Promise<void> {
  if (yes === true || !isAtTerminal(context)) return;
  await yesTo(context, question);
}

async function yesTo(context: CommandContext, question: string): Promise<void> {
  const answer = await ask(context, `${question} [y/N] `);
  if (!/^y(?:es)?$/i.test(answer.trim())) throw new CommandError('Nothing was changed.');
}
