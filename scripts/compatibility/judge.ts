/** What the reports of a run mean, cell by cell. Everything that is not understood is a failure. */
import { targets, type Report, type Target } from './report.ts';

/**
 * - `refused`: by decision, with the SQLSTATE that the decision names;
 * - `shared`: it depends on which of the shared engine connections comes next.
 */
export type Cell = 'yes' | 'refused' | 'shared' | 'unsupported' | 'failure';

export interface ExpectedDriver {
  readonly name: string;
  /** Names of features; each must be reported for both targets. */
  readonly features: readonly string[];
}

/** A difference between direct and proxy that is a decision of ours. */
export interface Refusal {
  readonly cell: 'refused' | 'shared';
  readonly feature: string;
  readonly sqlstate: string;
  /** Part of the message; not every driver hands the SQLSTATE on. */
  readonly sentence: string;
  readonly why: string;
}

export interface DriverResult {
  readonly name: string;
  readonly version: string;
  readonly cells: ReadonlyMap<string, Cell>;
}

export interface Judgement {
  readonly drivers: readonly DriverResult[];
  /** One sentence each; empty when the run has passed. */
  readonly failures: readonly string[];
}

export function judge(
  reports: readonly Report[],
  expected: readonly ExpectedDriver[],
  refusals: readonly Refusal[],
): Judgement {
  const failures: string[] = [];
  const known = new Set(expected.map(({ name }) => name));
  for (const name of new Set(reports.map(({ driver }) => driver))) {
    if (!known.has(name)) failures.push(`${name}: nobody expected this driver`);
  }
  const drivers = expected.map(({ name, features }) => {
    const own = reports.filter(({ driver }) => driver === name);
    const versions = new Set(own.map(({ version }) => version));
    if (versions.size > 1) failures.push(`${name}: several versions: ${[...versions].join(', ')}`);
    for (const feature of new Set(own.map(({ feature }) => feature))) {
      if (!features.includes(feature)) failures.push(`${name}, ${feature}: nobody asked for it`);
    }
    const cells = new Map<string, Cell>();
    for (const feature of features) {
      const refusal = refusals.find((one) => one.feature === feature);
      const cell = judgeCell(
        own.filter((one) => one.feature === feature),
        refusal,
      );
      if (typeof cell !== 'string') failures.push(`${name}, ${feature}: ${cell.failure}`);
      cells.set(feature, typeof cell === 'string' ? cell : 'failure');
    }
    return { name, version: [...versions][0] ?? '?', cells };
  });
  return { drivers, failures };
}

function judgeCell(
  reports: readonly Report[],
  refusal: Refusal | undefined,
): Cell | { readonly failure: string } {
  for (const target of targets) {
    const times = reports.filter((report) => report.target === target).length;
    if (times === 0) return { failure: `no report for ${target}` };
    if (times > 1) return { failure: `${times} reports for ${target}` };
  }
  const of = (target: Target): Report => reports.find((report) => report.target === target)!;
  const [direct, proxy] = [of('direct'), of('proxy')];
  if (direct.result === 'fail') return { failure: `the suite fails directly: ${direct.detail}` };
  if (direct.result === 'unsupported') {
    if (proxy.result === 'unsupported') return 'unsupported';
    return { failure: 'unsupported directly, and not through the proxy' };
  }
  if (refusal !== undefined) {
    const isRefused = proxy.result === 'fail' && proxy.detail.includes(refusal.sentence);
    const isSame = proxy.result === 'ok' && proxy.detail === direct.detail;
    if (isRefused || (isSame && refusal.cell === 'shared')) return refusal.cell;
    return { failure: `expected ${refusal.sqlstate}, got ${proxy.result}: ${proxy.detail}` };
  }
  if (proxy.result !== 'ok')
    return { failure: `${proxy.result} through the proxy: ${proxy.detail}` };
  if (proxy.detail === direct.detail) return 'yes';
  return { failure: `directly: ${direct.detail}\n    through the proxy: ${proxy.detail}` };
}
