/** What a shell can be told of a command: the same for all of them. */
export interface CompletedCommand {
  /** From the program on: `hati keys list`. */
  readonly path: string;
  readonly commands: readonly Named[];
  /** Of its arguments. */
  readonly choices: readonly string[];
  readonly options: readonly CompletedOption[];
}

interface Named {
  readonly name: string;
  readonly description: string;
}

interface CompletedOption {
  readonly short: string | undefined;
  readonly long: string | undefined;
  readonly description: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

/**
 * Each script goes along the words that are there already, as far as they name commands, and then offers: behind an option with a
 * value, its values; behind a dash, options; else commands and values of arguments. Nothing to offer: files.
 */
export function bashScript(all: readonly CompletedCommand[]): string {
  const offers = (command: CompletedCommand): string => [...namesIn(command)].join(' ');
  return `# Completion of hati, printed by: hati completion bash
_hati() {
  local at=hati words= word=\${COMP_WORDS[COMP_CWORD]} i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at \${COMP_WORDS[i]}" in
      ${paths(all)}) at="$at \${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at:\${COMP_WORDS[COMP_CWORD - 1]}" in
${valueCases(all, (choices) => (choices.length === 0 ? 'return' : `words=${quoted(choices.join(' '))}`))}
    *)
      case "$at:$word" in
${all.map((each) => `        ${quoted(`${each.path}:-`)}*) words=${quoted(each.options.flatMap(flagsOf).join(' '))} ;;`).join('\n')}
${all.map((each) => `        ${quoted(`${each.path}:`)}*) words=${quoted(offers(each))} ;;`).join('\n')}
      esac ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _hati hati
`;
}

export function zshScript(all: readonly CompletedCommand[]): string {
  const described = (name: string, description = ''): string =>
    quoted(name.replaceAll(':', '\\:') + (description === '' ? '' : `:${description}`));
  const options = ({ options: each }: CompletedCommand): string =>
    each
      .flatMap((option) => flagsOf(option).map((flag) => described(flag, option.description)))
      .join(' ');
  const offers = ({ commands, choices }: CompletedCommand): string =>
    [
      ...commands.map(({ name, description }) => described(name, description)),
      ...choices.map((choice) => described(choice)),
    ].join(' ');
  return `#compdef hati
# Completion of hati, printed by: hati completion zsh
_hati() {
  local at=hati word
  local -a found
  for word in \${words[2,CURRENT-1]}; do
    case "$at $word" in
      ${paths(all)}) at="$at $word" ;;
    esac
  done
  case "$at:\${words[CURRENT-1]}" in
${valueCases(all, (choices) => `found=(${choices.map((choice) => described(choice)).join(' ')})`)}
    *)
      case "$at:\${words[CURRENT]}" in
${all.map((each) => `        ${quoted(`${each.path}:-`)}*) found=(${options(each)}) ;;`).join('\n')}
${all.map((each) => `        ${quoted(`${each.path}:`)}*) found=(${offers(each)}) ;;`).join('\n')}
      esac ;;
  esac
  if ((\${#found})); then _describe hati found; else _files; fi
}
if [[ $funcstack[1] = _hati ]]; then _hati "$@"; else compdef _hati hati; fi
`;
}

export function fishScript(all: readonly CompletedCommand[]): string {
  const lines = all.flatMap(({ path, commands, choices, options }) => {
    const at = `complete -c hati -n ${quotedForFish(`__hati_at ${quotedForFish(path)}`)}`;
    return [
      ...(commands.length + choices.length === 0 ? [] : [`${at} -f`]),
      ...commands.map(
        ({ name, description }) => `${at} -a ${name} -d ${quotedForFish(description)}`,
      ),
      ...(choices.length === 0 ? [] : [`${at} -a ${quotedForFish(choices.join(' '))}`]),
      ...options.map(
        (option) => `${at} ${fishOption(option)} -d ${quotedForFish(option.description)}`,
      ),
    ];
  });
  return `# Completion of hati, printed by: hati completion fish
function __hati_at
    set -l at hati
    for word in (commandline -opc)[2..-1]
        switch "$at $word"
            case ${pathsOf(all).map(quotedForFish).join(' ')}
                set at "$at $word"
        end
    end
    test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}

function fishOption({ short, long, takesValue, choices }: CompletedOption): string {
  return [
    short === undefined ? '' : `-s ${short.slice(1)}`,
    long === undefined ? '' : `-l ${long.slice(2)}`,
    choices.length > 0 ? `-x -a ${quotedForFish(choices.join(' '))}` : takesValue ? '-r' : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}

function namesIn({ commands, choices }: CompletedCommand): Set<string> {
  return new Set([...commands.map(({ name }) => name), ...choices]);
}

function flagsOf({ short, long }: CompletedOption): string[] {
  return [short, long].filter((flag) => flag !== undefined);
}

function pathsOf(all: readonly CompletedCommand[]): string[] {
  return all.map(({ path }) => path).filter((path) => path.includes(' '));
}

function paths(all: readonly CompletedCommand[]): string {
  return pathsOf(all).map(quoted).join(' | ');
}

/** One for each option that takes a value. */
function valueCases(
  all: readonly CompletedCommand[],
  act: (choices: readonly string[]) => string,
): string {
  return all
    .flatMap(({ path, options }) =>
      options
        .filter(({ takesValue }) => takesValue)
        .map((option) => {
          const patterns = flagsOf(option).map((flag) => quoted(`${path}:${flag}`));
          return `    ${patterns.join(' | ')}) ${act(option.choices)} ;;`;
        }),
    )
    .join('\n');
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function quotedForFish(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
