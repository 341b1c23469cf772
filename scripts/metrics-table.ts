import { Metrics } from '../src/metrics/metrics.ts';

/** The table of docs/metrics.md, a row for each metric, in the order of /metrics. */
export function metricsRows(): string[] {
  const metrics = new Metrics('');
  metrics.close();
  return [
    '| Name | Type | Labels | Meaning |',
    '|---|---|---|---|',
    ...metrics.all.map(({ name, type, labels, help }) =>
      [`| \`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), `${help} |`]
        .join(' | ')
        .replace('|  |', '| |'),
    ),
  ];
}
