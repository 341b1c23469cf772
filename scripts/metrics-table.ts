import { Metrics } from '../src/metrics/metrics.ts';
import { supervisionMetrics } from '../src/metrics/supervision.ts';

/** The table of docs/metrics.md, a row for each metric, in the order of /metrics. */
export function metricsRows(): string[] {
  const metrics = new Metrics('');
  metrics.close();
  const none = { generation: 0, starting: 0, serving: 0, retiring: 0 };
  const supervision = supervisionMetrics(() => ({ ...none, replaced: 0, renewed: 0, refused: 0 }));
  return [
    '| Name | Type | Labels | Meaning |',
    '|---|---|---|---|',
    ...[...metrics.all, ...supervision].map(({ name, type, labels, help }) =>
      [`| \`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), `${help} |`]
        .join(' | ')
        .replace('|  |', '| |'),
    ),
  ];
}
