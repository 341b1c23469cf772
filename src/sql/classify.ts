import type { Node, RawStmt } from '@pgsql/types';
import { Findings } from './findings.ts';
import { readOf } from './setting-reads.ts';
import { Source } from './source.ts';
import { ddlVerb, type Statement } from './statement.ts';
import { systemCallsOfText, type WalkedStatement } from './system-call.ts';
import { walk } from './walk.ts';

/** The statements of a parsed text, described. Never throws: what is not understood is an act of class `unknown`. */
export function classify(text: string, parsed: readonly RawStmt[]): readonly Statement[] {
  const source = new Source(text);
  const walked = parsed.map((raw) => walkStatement(raw));
  const systemCalls = systemCallsOfText(walked);
  return walked.map(({ node, findings }, index): Statement => {
    const { acts, relations, functions, operators, fieldNames, types, settings } = findings;
    return {
      text: textOf(source, parsed[index]),
      node: Object.keys(node)[0] ?? 'unknown',
      acts,
      relations,
      functions,
      operators,
      fieldNames: [...fieldNames],
      types,
      settings,
      seesOptions: findings.seesOptions,
      standIns: findings.standIns,
      settingParameters: [...findings.settingParameters],
      prepared: [...findings.prepared],
      executed: [...findings.executed],
      deallocated: [...findings.deallocated],
      declared: [...findings.declared],
      fetched: [...findings.fetched],
      effects: [...findings.effects],
      system: systemCalls[index],
    };
  });
}

const nothing = {} as Node;

function walkStatement(raw: RawStmt): WalkedStatement {
  const findings = new Findings();
  const node = raw.stmt ?? nothing;
  walk(node, findings);
  // A statement nobody can say anything of must not pass as one that does nothing.
  if (findings.acts.length === 0)
    findings.act({ class: 'unknown', verb: Object.keys(node)[0] ?? 'this statement' });
  // EXECUTE gives values that are not seen as such.
  if ('PrepareStmt' in node && findings.settingParameters.size > 0)
    findings.settings.push(readOf(undefined));
  const definesTemporary =
    findings.namesTemporary && findings.acts.some((act) => act.verb === ddlVerb);
  if (definesTemporary) findings.effects.add('temporaryTable');
  return { node, findings };
}

function textOf(source: Source, raw: RawStmt | undefined): string {
  const start = raw?.stmt_location ?? 0;
  const whole = start === 0 && !raw?.stmt_len;
  const text = whole
    ? source.text
    : source.slice(start, raw?.stmt_len ? start + raw.stmt_len : undefined);
  return trimmed(text);
}

/** PostgreSQL's white space; trim() would also take characters that are part of an identifier there. */
const space = ' \t\n\r\f\v';

/** By hand: a regular expression would look at every run of spaces in the text anew from each of its characters. */
function trimmed(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && space.includes(text[start]!)) start += 1;
  while (end > start && space.includes(text[end - 1]!)) end -= 1;
  return text.slice(start, end);
}
