import { readdirSync } from 'node:fs';
import { counter, gauge, type ReadMetric } from './read-metric.ts';

/**
 * What the operating system and Node say of this process, under the names that dashboards know. prom-client has such
 * metrics too, but theirs start observers that nothing ends.
 */
export function processMetrics(): ReadMetric[] {
  const startedAt = Date.now() / 1_000 - process.uptime();
  return [
    counter(
      {
        name: 'process_cpu_seconds_total',
        help: 'User and system CPU time, of all threads',
        labels: [],
      },
      () => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1e6;
      },
    ),
    gauge(
      {
        name: 'process_start_time_seconds',
        help: 'When the oldest process began, since the epoch',
        labels: [],
        aggregator: 'min',
      },
      () => startedAt,
    ),
    gauge({ name: 'process_resident_memory_bytes', help: 'Resident memory', labels: [] }, () =>
      process.memoryUsage.rss(),
    ),
    gauge(
      { name: 'nodejs_heap_size_used_bytes', help: 'Used heap of the main thread', labels: [] },
      () => process.memoryUsage().heapUsed,
    ),
    gauge(
      { name: 'nodejs_heap_size_total_bytes', help: 'Heap of the main thread', labels: [] },
      () => process.memoryUsage().heapTotal,
    ),
    gauge(
      {
        name: 'nodejs_external_memory_bytes',
        help: 'Memory of the main thread outside of its heap, buffers among it',
        labels: [],
      },
      () => process.memoryUsage().external,
    ),
    gauge(
      { name: 'process_open_fds', help: 'Open file descriptors; Linux only', labels: [] },
      openFiles,
    ),
  ];
}

function openFiles(): number | undefined {
  try {
    // The one that reads the directory is among them.
    return readdirSync('/proc/self/fd').length - 1;
  } catch {
    return undefined;
  }
}
