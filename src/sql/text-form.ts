import { isUtf8 } from 'node:buffer';

/**
 * The form of a text: its bytes, with a mark in the place of each plain literal. To PostgreSQL's lexer, texts of one form are
 * the same tokens, but for the values of literals of the same kind.
 *
 * Only what can be read in one way alone is understood here: names, `"names"`, operators, `$1`, whole numbers of up to nine
 * digits, `1.5`, and strings without backslash or doubled quote. A text with anything else has no form: comments, `$$`, prefixes
 * (`E''`, `U&""`), strings that go on in the next line, `1e5`, `.5`, `0x1F`, `1_000`, control characters, bytes that are no UTF-8.
 * Neither has one without literals.
 * https://www.postgresql.org/docs/18/sql-syntax-lexical.html
 */

/** Bytes. */
const longestText = 65_536;
/** So many are an `int4` always; what more digits are depends on their value. */
const mostDigits = 9;

/** In place of a literal. */
const integerMark = 1;
const decimalMark = 2;
const stringMark = 3;

/** What a byte begins, outside of quotes. */
const kinds = {
  unknown: 0,
  /** A letter, white space, a bracket, a part of an operator: it stands for itself. */
  itself: 1,
  number: 2,
  string: 3,
  quotedName: 4,
  parameter: 5,
  minus: 6,
  slash: 7,
  /** To the lexer they are letters. */
  beyondAscii: 8,
} as const;

const code = (character: string): number => character.charCodeAt(0);
const [quote, doubleQuote, backslash] = [code("'"), code('"'), code('\\')];
const [dollar, dot, ampersand, space] = [code('$'), code('.'), code('&'), code(' ')];
const [minus, slash, asterisk] = [code('-'), code('/'), code('*')];
const firstBeyondAscii = 0x80;

/** Bytes with which names go on. */
const goesOn = new Uint8Array(256);
goesOn.fill(1, code('0'), code('9') + 1);
goesOn.fill(1, code('A'), code('Z') + 1);
goesOn.fill(1, code('a'), code('z') + 1);
goesOn.fill(1, firstBeyondAscii);
goesOn[code('_')] = goesOn[dollar] = 1;

const begins = new Uint8Array(256);
for (let byte = 0; byte < 256; byte += 1) if (goesOn[byte] === 1) begins[byte] = kinds.itself;
for (const each of ' \t\n\r\f\v!#%&()*+,.:;<=>?@[]^`{|}~') begins[code(each)] = kinds.itself;
for (const each of '0123456789') begins[code(each)] = kinds.number;
begins[quote] = kinds.string;
begins[doubleQuote] = kinds.quotedName;
begins[dollar] = kinds.parameter;
begins[minus] = kinds.minus;
begins[slash] = kinds.slash;
begins.fill(kinds.beyondAscii, firstBeyondAscii);

/** In place of an end: the text has no form. */
const nowhere = -1;

/** The keys are made in here. */
const made = Buffer.alloc(1 + longestText, '~');

/** For a text that is not taken for others of its form. */
export function exactKeyOf(text: Buffer): string {
  return `=${text.toString('latin1')}`;
}

/** @returns what no `exactKeyOf` is, whatever the bytes. */
export function formOf(text: Buffer): string | undefined {
  const { length } = text;
  if (length > longestText) return undefined;
  let hasLiterals = false;
  let size = 1;
  let at = 0;
  while (at < length) {
    // Most bytes, so nothing else is done in here.
    while (at < length && begins[text[at]!] === kinds.itself) made[size++] = text[at++]!;
    if (at === length) break;
    const kind = kindOf(text, at);
    const end = endOf(text, at, kind);
    if (end === nowhere) return undefined;
    if (kind === kinds.number || kind === kinds.string) {
      made[size++] = kind === kinds.string ? stringMark : markOfNumber(text, at, end);
      hasLiterals = true;
      at = end;
    } else while (at < end) made[size++] = text[at++]!;
  }
  return hasLiterals ? made.toString('latin1', 0, size) : undefined;
}

/** Digits and `$` may be part of a name. */
function kindOf(text: Buffer, at: number): number {
  const kind = begins[text[at]!]!;
  const mayGoOn = kind === kinds.number || kind === kinds.parameter;
  return mayGoOn && isBehindName(text, at) ? kinds.itself : kind;
}

function isBehindName(text: Buffer, at: number): boolean {
  return at > 0 && goesOn[text[at - 1]!] === 1;
}

/** Of what begins there; just behind its last byte. */
function endOf(text: Buffer, at: number, kind: number): number {
  switch (kind) {
    case kinds.itself:
      return at + 1;
    case kinds.beyondAscii:
      return endOfLetters(text, at);
    case kinds.number:
      return endOfNumber(text, at);
    case kinds.string:
      return endOfString(text, at);
    case kinds.quotedName:
      // A doubled quote ends one name here and begins another: copied, that is the same.
      return endOfQuoted(text, at, doubleQuote);
    case kinds.parameter:
      return endOfParameter(text, at);
    case kinds.minus:
      return text[at + 1] === minus ? nowhere : at + 1;
    case kinds.slash:
      return text[at + 1] === asterisk ? nowhere : at + 1;
    default:
      return nowhere;
  }
}

function endOfLetters(text: Buffer, at: number): number {
  let end = at;
  while (end < text.length && text[end]! >= firstBeyondAscii) end += 1;
  return isUtf8(text.subarray(at, end)) ? end : nowhere;
}

function endOfNumber(text: Buffer, at: number): number {
  if (at > 0 && text[at - 1] === dot) return nowhere;
  let end = endOfDigits(text, at);
  if (end - at > mostDigits) return nowhere;
  if (end < text.length && text[end] === dot) {
    const fraction = end + 1;
    end = endOfDigits(text, fraction);
    if (end === fraction || end - fraction > mostDigits) return nowhere;
  }
  if (end === text.length) return end;
  const next = text[end]!;
  return next === dot || next === quote || goesOn[next] === 1 ? nowhere : end;
}

function markOfNumber(text: Buffer, at: number, end: number): number {
  for (let each = at; each < end; each += 1) if (text[each] === dot) return decimalMark;
  return integerMark;
}

function endOfDigits(text: Buffer, at: number): number {
  let end = at;
  while (end < text.length && begins[text[end]!] === kinds.number) end += 1;
  return end;
}

function endOfString(text: Buffer, at: number): number {
  // `E'…'` and its like.
  if (isBehindName(text, at)) return nowhere;
  const end = endOfQuoted(text, at, quote);
  // A quote right behind it is doubled, one in the next line goes on with it.
  let next = end === nowhere ? text.length : end;
  while (next < text.length && isSpace(text[next]!)) next += 1;
  return next < text.length && text[next] === quote ? nowhere : end;
}

function isSpace(byte: number): boolean {
  return byte <= space && begins[byte] === kinds.itself;
}

function endOfQuoted(text: Buffer, at: number, closing: number): number {
  // `U&'…'`, `U&"…"`
  if (at > 0 && text[at - 1] === ampersand) return nowhere;
  let all = 0;
  for (let end = at + 1; end < text.length; end += 1) {
    const byte = text[end]!;
    if (byte === closing) {
      const isReadable = all < firstBeyondAscii || isUtf8(text.subarray(at, end));
      return isReadable ? end + 1 : nowhere;
    }
    if (byte === backslash || (byte < space && !isSpace(byte))) return nowhere;
    all |= byte;
  }
  return nowhere;
}

function endOfParameter(text: Buffer, at: number): number {
  const end = endOfDigits(text, at + 1);
  if (end === at + 1) return nowhere;
  return end < text.length && goesOn[text[end]!] === 1 ? nowhere : end;
}
