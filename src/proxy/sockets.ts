import type { Socket } from 'node:net';

/** Resolves as well when the socket is gone, for the session to notice it. */
export function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      socket.off('drain', settle).off('close', settle);
      resolve();
    };
    socket.once('drain', settle).once('close', settle);
  });
}

/** Resolves when the socket is closed; at once where it is already. */
export function closeOf(socket: Socket): Promise<void> {
  return socket.destroyed
    ? Promise.resolve()
    : new Promise((resolve) => socket.once('close', () => resolve()));
}

/** Gives the other side some time to close the socket in good order. */
export function destroyUnlessClosed(socket: Socket, milliseconds: number): void {
  const timer = setTimeout(() => socket.destroy(), milliseconds);
  void closeOf(socket).then(() => clearTimeout(timer));
}
