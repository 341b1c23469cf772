/**
 * The form of a text must be what PostgreSQL's own scanner makes of it. And what is known of a text is taken for all texts of its form, where it holds for any literals (`src/sql/any-literals.ts`). Here
 * other literals are put in, hostile ones among them, and each text is read by itself: what is known of them must be the same.
 */
import { analyse } from '../../src/sql/analyse.ts';
import { holdsForAnyLiterals } from '../../src/sql/any-literals.ts';
import { scan } from '../../src/sql/parse.ts';
import { scanSync } from '../../src/sql/parser-library.ts';
import type { ClassifiedText } from '../../src/sql/statement.ts';
import { formOf } from '../../src/sql/text-form.ts';
import type { Random } from './random.ts';

const literals: Readonly<Record<string, readonly string[]>> = {
  ICONST: ['0', '1', '2', '7', '24', '25', '54', '00', '007', '65536', '999999999'],
  FCONST: ['0.0', '1.5', '00.10', '999999999.999999999'],
  SCONST: [
    ...["''", "' '", "'x'", "'f'", "'true'", "'now'", "'1 day'", "'2020-01-01'", "'é'", "'a\nb'"],
    ...["'role'", "'search_path'", "'pg_temp'", "'hatidata_agent_id'", "'statement_timeout'"],
    ...["'pg_authid'", "'pg_settings'", "'_hatidata_keys'", "'hatidata_context'", "'regclass'"],
    ...["'int4'", "'public.trap'", "'trap'", "'pg_catalog'", "'create_api_key'", "'admin'"],
    ...["'-- '", "'/*'", "'$1'", "'$$'", "';'", "'SELECT 1'", `'"'`, "'$.a'", "'year'", "'1'"],
  ],
};

const kinds = Object.keys(literals);

/** The text with something else in the place of what the scanner calls a literal. */
function withLiterals(text: Buffer, instead: (kind: string) => string): Buffer {
  const parts: Buffer[] = [];
  let end = 0;
  for (const { tokenName, ...token } of scanSync(text.toString()).tokens) {
    if (!kinds.includes(tokenName)) continue;
    parts.push(text.subarray(end, token.start), Buffer.from(instead(tokenName)));
    end = token.end;
  }
  return Buffer.concat([...parts, text.subarray(end)]);
}

/** The same as `formOf`, for texts that have a form. */
export function formByScanner(text: Buffer): string {
  const marked = withLiterals(text, (kind) => String.fromCharCode(1 + kinds.indexOf(kind)));
  return `~${marked.toString('latin1')}`;
}

export interface LiteralsTried {
  /** What is known of one of the texts would be taken for the others. */
  readonly isShared: boolean;
  readonly fault: string | undefined;
}

const nothing: LiteralsTried = { isShared: false, fault: undefined };

/** @param count of other texts that are made of it. */
export function tryOtherLiterals(text: string, random: Random, count: number): LiteralsTried {
  const bytes = Buffer.from(text);
  const form = formOf(bytes);
  // What PostgreSQL can't take apart is refused, whatever its literals are.
  if (form === undefined || scan(text).length === 0) return nothing;
  if (form !== formByScanner(bytes)) return { ...nothing, fault: 'scanned otherwise' };
  const texts: Buffer[] = [bytes];
  while (texts.length <= count)
    texts.push(withLiterals(bytes, (kind) => random.pick(literals[kind]!)));
  if (texts.some((each) => formOf(each) !== form))
    return { ...nothing, fault: 'of another form with other literals' };
  const known = texts.map((each) => read(each.toString()));
  const isShared = known.some((each) => each !== undefined && holdsForAnyLiterals(each));
  const facts = known.map(factsOf);
  const areSame = facts.every((each) => each === facts[0]);
  return {
    isShared,
    fault: isShared && !areSame ? 'judged by the literals of another' : undefined,
  };
}

/** Undefined for one that is refused, which is not remembered. */
function read(text: string): ClassifiedText | undefined {
  try {
    return analyse(text);
  } catch {
    return undefined;
  }
}

/** All but the text itself, where things stand in it, and what it weighs. */
const ofOneText: ReadonlySet<string> = new Set(['text', 'location', 'bytes']);

function factsOf(known: ClassifiedText | undefined): string | undefined {
  return JSON.stringify(known, (key, value: unknown) => (ofOneText.has(key) ? undefined : value));
}
