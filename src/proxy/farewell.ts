import type { Socket } from 'node:net';
import type { HatiError } from '../errors.ts';
import { errorResponse } from '../wire/backend-messages.ts';

/** How long a client may take to read why it is sent away. */
const farewellMs = 5_000;
/** The same when others press behind him. */
export const hurriedFarewellMs = 200;

/** Last words to a client that does not get a session. */
export function farewell(socket: Socket, error: HatiError, patienceMs = farewellMs): void {
  if (socket.writable) socket.end(errorResponse(error, 'FATAL'));
  // Unread bytes would turn the close into a reset, and the client might never see the reason.
  socket.resume();
  const timer = setTimeout(() => socket.destroy(), patienceMs);
  socket.once('close', () => clearTimeout(timer));
  if (socket.destroyed) clearTimeout(timer);
}
