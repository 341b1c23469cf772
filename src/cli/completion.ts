import { Argument, Command } from 'commander';
import { bashScript, fishScript, zshScript } from './completion-scripts.ts';
import type { CompletedCommand } from './completion-scripts.ts';
import type { CommandContext } from './context.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript } as const;
const shells = Object.keys(scripts) as (keyof typeof scripts)[];

/** @param program the tree that is completed, this command included. */
export function completionCommand(context: CommandContext, program: Command): Command {
  return new Command('completion')
    .description('print a script that lets a shell complete commands and options')
    .addArgument(new Argument('<shell>', 'which').choices(shells))
    .addHelpText(
      'after',
      `
Examples:
  source <(hati completion bash)                               in ~/.bashrc
  source <(hati completion zsh)                                in ~/.zshrc, behind compinit
  hati completion fish > ~/.config/fish/completions/hati.fish`,
    )
    .action((shell: keyof typeof scripts) => {
      context.stdout.write(scripts[shell](completedCommands(program)));
    });
}

/** The tree as a list, each command before its own. */
export function completedCommands(command: Command, above = ''): readonly CompletedCommand[] {
  const path = `${above}${command.name()}`;
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const self: CompletedCommand = {
    path,
    commands: commands.map((each) => ({ name: each.name(), description: each.description() })),
    choices: command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices),
    options: help.visibleOptions(command).map((option) => ({
      short: option.short ?? undefined,
      long: option.long ?? undefined,
      description: option.description,
      takesValue: option.required || option.optional,
      choices: option.argChoices ?? [],
    })),
  };
  return [self, ...command.commands.flatMap((each) => completedCommands(each, `${path} `))];
}
