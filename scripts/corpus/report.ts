import type { Finding } from './comparison.ts';
import type { Case } from './run.ts';

/** The last line of the output. */
export interface Totals {
  statements: number;
  allowed_writes: number;
  refused_reads: number;
  refused_by_function_rule: number;
  plain_reads: number;
  not_understood: number;
}

const mostRefused = 0.005;

const titles: Readonly<Record<Finding, string>> = {
  allowedWrite: 'Allowed although PostgreSQL writes, or refuses it as a write',
  refusedRead: 'Refused although a plain read',
  refusedByFunctionRule: 'Plain reads refused by the rule on functions',
  notUnderstood: 'Not understood although PostgreSQL reads it',
};

export class Report {
  readonly totals: Totals = {
    statements: 0,
    allowed_writes: 0,
    refused_reads: 0,
    refused_by_function_rule: 0,
    plain_reads: 0,
    not_understood: 0,
  };
  readonly #found: Case[] = [];
  readonly #unanswered = new Map<string, number>();

  add(one: Case): void {
    const { totals } = this;
    totals.statements += 1;
    if (one.isPlainRead) totals.plain_reads += 1;
    if (one.answer.kind === 'fails') count(this.#unanswered, one.answer.sqlstate);
    if (one.finding === undefined) return;
    this.#found.push(one);
    if (one.finding === 'allowedWrite') totals.allowed_writes += 1;
    if (one.finding === 'refusedByFunctionRule') totals.refused_by_function_rule += 1;
    if (one.finding === 'notUnderstood') totals.not_understood += 1;
    if (one.finding === 'refusedRead' || (one.finding === 'notUnderstood' && one.isPlainRead))
      totals.refused_reads += 1;
  }

  /** The first lock holds and honest reads pass. A run that looked at nothing has not shown that. */
  hasPassed(): boolean {
    const { statements, allowed_writes, refused_reads, plain_reads } = this.totals;
    return statements > 0 && allowed_writes === 0 && refused_reads <= mostRefused * plain_reads;
  }

  /** Families, each with its count and reason; with `each`, every statement under its family. */
  lines({ each }: { readonly each: boolean }): readonly string[] {
    const { plain_reads, refused_reads } = this.totals;
    const percent = plain_reads === 0 ? 0 : (100 * refused_reads) / plain_reads;
    return [
      `Plain reads: ${plain_reads}; refused of them: ${refused_reads} (${percent.toFixed(2)} %)`,
      `PostgreSQL could not say, because the statement fails for a reason of its own: ${top(this.#unanswered)}`,
      ...(Object.keys(titles) as Finding[]).flatMap((finding) => this.#section(finding, each)),
      JSON.stringify(this.totals),
    ];
  }

  #section(finding: Finding, each: boolean): string[] {
    const cases = this.#found.filter((one) => one.finding === finding);
    const families = [...Map.groupBy(cases, familyOf)].toSorted(
      (a, b) => b[1].length - a[1].length,
    );
    return [
      '',
      `${titles[finding]}: ${cases.length}`,
      ...families.flatMap(([family, members]) => [
        `${String(members.length).padStart(6)}  ${family}`,
        ...(each ? members.map(lineOf) : []),
      ]),
    ];
  }
}

function familyOf({ verdict, answer }: Case): string {
  if (verdict.kind !== 'allowed') return `${verdict.code}: ${verdict.reason}`;
  return answer.kind === 'writes' ? answer.reason : answer.kind;
}

function lineOf({ file, number, statement }: Case): string {
  const oneLine = statement.replace(/\s+/g, ' ').trim();
  return `          ${file}:${number}  ${oneLine}`;
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function top(counts: ReadonlyMap<string, number>): string {
  const sorted = [...counts].toSorted((a, b) => b[1] - a[1]);
  const total = sorted.reduce((sum, [, one]) => sum + one, 0);
  const named = sorted.slice(0, 12).map(([sqlstate, one]) => `${sqlstate} ${one}`);
  return sorted.length === 0 ? '0' : `${total} (${named.join(', ')}, …)`;
}
