/**
 * A cheap look at raw bytes, before any parser runs: may this text be parsed on the event loop, and can a parser read
 * it at all? Each operator and each open bracket may be one level of recursion in the grammar's actions.
 *
 * Measured with libpg-query 18.1.5 on Node 24: no construction of up to 4,096 bytes overflows the stack of the main
 * thread, the first one to do so (`-+-+…1`) has 8,192; texts within the limits below parse in under 3 ms. In a worker,
 * whose stack is 4 MB, a chain of 32,000 operators parses and one of 64,000 does not.
 */
export const inProcessBytes = 2048;
const inProcessOperators = 256;
const parsableOperators = 40_000;
const parsableDepth = 4_000;

export type Complexity = 'small' | 'large' | 'hopeless';

const isOperator = new Uint8Array(256);
for (const byte of Buffer.from('+-*/<>=~!@#%^&|`?([')) isOperator[byte] = 1;

/**
 * Strings, quoted names and comments are counted along: skipping them right would take a scanner. So a text is called
 * hopeless only by its longest chain without a comma or semicolon, or its bracket depth, outside of plain quotes.
 */
export function complexityOf(text: Buffer): Complexity {
  if (text.length <= inProcessBytes)
    return operatorsIn(text) <= inProcessOperators ? 'small' : 'large';
  return text.length > parsableDepth && isHopeless(text) ? 'hopeless' : 'large';
}

function operatorsIn(text: Buffer): number {
  let count = 0;
  for (const byte of text) count += isOperator[byte] ?? 0;
  return count;
}

const quote = 0x27;
const comma = 0x2c;
const semicolon = 0x3b;

function isHopeless(text: Buffer): boolean {
  let chain = 0;
  let depth = 0;
  let quoted = false;
  for (const byte of text) {
    if (byte === quote) quoted = !quoted;
    if (quoted) continue;
    if (byte === comma || byte === semicolon) chain = 0;
    else chain += isOperator[byte] ?? 0;
    if (byte === 0x28 || byte === 0x5b) depth++;
    else if (byte === 0x29 || byte === 0x5d) depth = Math.max(0, depth - 1);
    if (chain > parsableOperators || depth > parsableDepth) return true;
  }
  return false;
}
