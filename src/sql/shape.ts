import { createHash } from 'node:crypto';
import { redactSecrets } from '../shared/redact.ts';
import { scan } from './parse.ts';
import type { ClassifiedText, Statement } from './statement.ts';

/**
 * What a text looks like without what its client put in: constants, comments, and names in quotes that may be no names. Others may see
 * it. Whatever is not known to be harmless becomes `?`.
 */
export interface Shape {
  readonly text: string;
  /** The same for all texts of one shape. */
  readonly fingerprint: string;
}

/** Characters; a longer text is not looked at. */
const longestText = 16_384;
/** Characters of a shape that are shown. */
const longestShape = 2_000;

/** Keywords, names, names in quotes that needed none, `$1`, punctuation and operators. */
const harmless =
  /^(?:[\p{L}_][\p{L}\p{N}_$]*|"[A-Za-z_][A-Za-z0-9_]*"|\$[0-9]+|[-+*/<>=~!@#%^&|`?,;:.()[\]]+)$/u;

/** @returns undefined for one that is too long. May throw `ParserBroken`, like every use of the parser. */
export function shapeOf({ statements }: ClassifiedText): Shape | undefined {
  const length = statements.reduce((sum, { text }) => sum + text.length, 0);
  if (length > longestText) return undefined;
  const whole = redactSecrets(statements.map(withoutConstants).join('; '));
  const fingerprint = createHash('sha256').update(whole).digest('hex').slice(0, 16);
  return { text: shortened(whole), fingerprint };
}

function withoutConstants({ text, node, settings }: Statement): string {
  // Its value may be a bare word.
  if (node === 'VariableSetStmt') return `SET ${settings[0]?.name ?? ''} = ?`;
  const values = new Set(settings.flatMap((change) => change.values ?? []));
  const bytes = Buffer.from(text);
  let result = '';
  let end = 0;
  for (const token of scan(text)) {
    const isApart = result !== '' && token.start > end;
    const written = bytes.toString('utf8', token.start, token.end);
    const isShown = harmless.test(written) && !values.has(nameOf(written));
    result += `${isApart ? ' ' : ''}${isShown ? written : '?'}`;
    end = token.end;
  }
  // However many there are, it is the same statement.
  return result.replace(/\?(?:\s*,\s*\?)+/g, '?, …');
}

/** As PostgreSQL understands it. */
function nameOf(written: string): string {
  return written.startsWith('"') ? written.slice(1, -1) : written.toLowerCase();
}

function shortened(text: string): string {
  return text.length > longestShape ? `${text.slice(0, longestShape)}…` : text;
}
