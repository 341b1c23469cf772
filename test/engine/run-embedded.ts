/** A process that starts the embedded server, says so in one line, and lives until it is killed or told to end. */
import { pino } from 'pino';
import { startEmbeddedServer } from '../../src/engine/embedded/server.ts';

const [directory = '', ending = 'stay', stateDirectory = `${directory}-state`] =
  process.argv.slice(2);
try {
  const server = await startEmbeddedServer({
    directory,
    stateDirectory,
    log: pino({ level: 'silent' }),
  });
  const { dataDirectory, pid } = server;
  process.stdout.write(
    `${JSON.stringify({ dataDirectory, pid, uid: process.getuid?.(), connection: server.connection('writer') })}\n`,
  );
  if (ending === 'stop') await server.stop();
  // "leave": nothing holds the event loop, the process ends by itself. "stay": something does.
  if (ending === 'stay') setInterval(() => undefined, 60_000);
} catch (error) {
  process.stdout.write(`${JSON.stringify({ error: String(error) })}\n`);
  process.exitCode = 1;
}
