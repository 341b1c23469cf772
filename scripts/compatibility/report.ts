/** One line of a suite, read with suspicion: a suite in another language is checked by nothing else. */
import { featureNames } from './features.ts';

export const targets = ['direct', 'proxy'] as const;
export type Target = (typeof targets)[number];

export interface Report {
  /** "psycopg 3 (binary)": the driver, and how it was used when there are several ways. */
  readonly driver: string;
  readonly version: string;
  readonly target: Target;
  readonly feature: string;
  readonly result: 'ok' | 'fail' | 'unsupported';
  /**
   * `ok`: what was seen, which must be the same for both targets. `fail`: what went wrong. `unsupported`: why the driver
   * can't be asked.
   */
  readonly detail: string;
}

const results: ReadonlySet<string> = new Set<Report['result']>(['ok', 'fail', 'unsupported']);

/** @throws {Error} for a line that is no report. */
export function readReport(line: string): Report {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new Error(`no report: ${line}`);
  }
  const report = value as Report;
  const texts = [report.driver, report.version, report.feature, report.detail];
  if (!texts.every((text) => typeof text === 'string')) throw new Error(`no report: ${line}`);
  if (!targets.includes(report.target)) throw new Error(`unknown target: ${line}`);
  if (!results.has(report.result)) throw new Error(`unknown result: ${line}`);
  if (!featureNames.has(report.feature)) throw new Error(`unknown feature: ${line}`);
  return report;
}
