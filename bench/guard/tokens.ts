/**
 * Where tokens begin in JavaScript. Comments, spaces and the length of names don't count, so that prose and spelling don't look like
 * work. It needs no more than to be the same for the same code: words in a template count as those outside do.
 */
const pattern = new RegExp(
  [
    String.raw`\/\/[^\n]*|\/\*[\s\S]*?\*\/`,
    String.raw`(?<token>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"`,
    // A slash where no operand stands before it begins a regular expression.
    String.raw`(?<=[(,=:[!&|?{};]\s*)\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/\w*`,
    String.raw`[\w$#]+|[^\s\w])`,
  ].join('|'),
  'g',
);

/** @returns for each offset, and for the end, how many tokens begin before it. */
export function tokensBefore(source: string): Uint32Array {
  const before = new Uint32Array(source.length + 1);
  for (const { index, groups } of source.matchAll(pattern))
    if (groups?.['token'] !== undefined) before[index + 1] = 1;
  for (let at = 1; at <= source.length; at += 1) before[at]! += before[at - 1]!;
  return before;
}
