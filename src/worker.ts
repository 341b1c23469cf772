/** What a worker process runs. It is told everything by the supervisor that forked it (src/supervisor/). */
import { prettyDestination } from './cli/log-format.ts';
import { createLogger } from './shared/log.ts';
import { obeySupervisor } from './supervisor/worker-side.ts';

// A terminal that was closed is the supervisor's affair.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EIO') throw error;
});

obeySupervisor(process, ({ level, pretty }) =>
  createLogger({ level, ...(pretty ? { destination: prettyDestination(process.stdout) } : {}) }),
);
