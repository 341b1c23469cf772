import { HatiError } from '../errors.ts';

/**
 * Reads the startup parameter `options` the way PostgreSQL splits it: words at white space, a backslash keeps the
 * next character. Only settings are understood (`-c name=value`, `-cname=value`, `--name=value`); every other switch
 * of the postgres command line is refused.
 */
export function parseStartupOptions(options: string): [name: string, value: string][] {
  const words = splitWords(options);
  const settings: [string, string][] = [];
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at]!;
    let assignment: string | undefined;
    if (word === '-c') {
      at += 1;
      assignment = words[at];
    } else if (word.startsWith('-c')) {
      assignment = word.slice(2);
    } else if (word.startsWith('--')) {
      assignment = word.slice(2);
    }
    const equals = assignment?.indexOf('=') ?? -1;
    if (assignment === undefined || equals < 1) {
      throw new HatiError('startup_parameter_refused', {
        params: { parameter: `options ${word}` },
      });
    }
    // As PostgreSQL does for `--name`: dashes stand for underscores.
    const name = assignment.slice(0, equals).replaceAll('-', '_').toLowerCase();
    settings.push([name, assignment.slice(equals + 1)]);
  }
  return settings;
}

function splitWords(options: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  for (let at = 0; at < options.length; at += 1) {
    const character = options[at]!;
    if (/[ \t\n\v\f\r]/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (character === '\\' && at + 1 < options.length) {
      at += 1;
      word = (word ?? '') + options[at]!;
    } else {
      word = (word ?? '') + character;
    }
  }
  if (word !== undefined) words.push(word);
  return words;
}

/** The reverse: one setting as a piece of `options`, escaped. */
export function formatStartupOption(name: string, value: string): string {
  return `-c ${name}=${value.replace(/[\\\s]/g, (character) => `\\${character}`)}`;
}
