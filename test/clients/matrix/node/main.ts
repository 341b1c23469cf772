/** The Node drivers of the matrix. `scripts/compatibility.ts` starts this and reads what it prints. */
import { runDriver } from './matrix.ts';
import { pgDriver } from './pg.ts';
import { postgresDriver } from './postgres.ts';

await runDriver(pgDriver);
await runDriver(postgresDriver);
// A driver that failed may have left a socket.
process.exit();
