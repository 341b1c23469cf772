import { MetricsSample } from '../../src/cli/metrics-sample.ts';
import type { TestProxy } from '../fixtures/proxy.ts';

export function metricsUrl({ running }: TestProxy, path = '/metrics'): string {
  return `http://127.0.0.1:${running.metricsAddresses![0]!.port}${path}`;
}

export async function scrapeText(proxy: TestProxy): Promise<string> {
  const response = await fetch(metricsUrl(proxy));
  if (response.status !== 200) throw new Error(`status ${response.status}`);
  return response.text();
}

export async function scrape(proxy: TestProxy): Promise<MetricsSample> {
  return new MetricsSample(await scrapeText(proxy), performance.now() / 1_000);
}

export interface Readiness {
  readonly status: number;
  readonly missing: readonly { readonly part: string; readonly reason: string }[];
}

export async function readiness(proxy: TestProxy): Promise<Readiness> {
  const response = await fetch(metricsUrl(proxy, '/ready'));
  const { missing } = (await response.json()) as Pick<Readiness, 'missing'>;
  return { status: response.status, missing };
}

/** Resolves when `condition` holds; the test's own limit is the only one. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 50));
}
