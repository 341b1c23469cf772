/** `npm run quickstart`: a proxy of this clone, the walk-through against it, and how to go on. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { DatabaseError } from 'pg';
import { projectAt } from '../src/cli/project.ts';
import { readRunRecord } from '../src/cli/run-file.ts';
import { Mismatch, walkThrough } from './walk-through.ts';

const root = resolve(import.meta.dirname, '..');

// Exactly what a person does; its arguments (--port) are ours.
const init = spawnSync(
  process.execPath,
  [resolve(root, 'bin/hati.js'), 'init', root, ...process.argv.slice(2)],
  { stdio: 'inherit' },
);
if (init.status !== 0) process.exit(init.status ?? 1);

const port = readRunRecord(projectAt(root).runPath)?.address?.port;
if (port === undefined) {
  console.error('The proxy has ended again; `npm run hati -- logs` says why.');
  process.exit(1);
}

try {
  await walkThrough({ host: 'localhost', port, print: (line) => console.log(line) });
} catch (error) {
  console.error(`\n${explain(error)}`);
  process.exit(1);
}

console.log(`
Everything came back as it must. The proxy goes on running.

How to connect
   psql           psql -h localhost -p ${port}    (no key: the local administrator)
                  PGPASSWORD=<key> psql -h localhost -p ${port}
   Python         pip install ./sdk/python
                  from hatidata_agent import HatiDataAgent
                  agent = HatiDataAgent(host="localhost", port=${port}, agent_id="analytics-agent", api_key="<key>")
                  print(agent.query("SELECT count(*) FROM products"))
   BI tool        connection type PostgreSQL, host localhost, port ${port}, database hatidata,
                  user: any name, password: the key, SSL: off
   A key          npm run hati -- keys create my-agent --scope readonly

How to stop
   npm run hati -- stop`);

function explain(error: unknown): string {
  if (error instanceof DatabaseError && error.code === '42P01') {
    return `${error.message}: the sample table was dropped, or never made. To start over: npm run hati -- stop, and remove .hati`;
  }
  const reason = error instanceof Error ? error.message : String(error);
  return error instanceof Mismatch ? `This is not as it must be: ${reason}` : reason;
}
