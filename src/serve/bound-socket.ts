/**
 * Addresses that are taken, but not listened on: a socket that several processes can share.
 *
 * Whoever gets such a socket listens on it and accepts. Connections wait in the socket, not in the process, so none is lost
 * when a process closes its own end while another one has the socket too. net.Server can't do this, because it accepts from
 * the moment it listens; node:cluster makes its shared sockets with the same function that is used here.
 */
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { getSystemErrorName } from 'node:util';
import { listenOn, type Address } from '../shared/listen-on.ts';

/** Node's wrap of a TCP socket: can be sent to a child process, and given to net.Server.listen. */
export interface SocketHandle {
  getsockname(into: { address?: string; port?: number }): number;
  close(): void;
}

export interface BoundSocket {
  readonly handle: SocketHandle;
  readonly address: Address;
}

interface NodeNet {
  _createServerHandle(
    address: string,
    port: number,
    family: 4 | 6,
    fd: -1,
    flags: 0,
  ): SocketHandle | number;
}

/** Rejects with the error that listening would give (EADDRINUSE …); nothing is bound then. */
export async function bindSockets(listen: Address): Promise<readonly BoundSocket[]> {
  const handles: SocketHandle[] = [];
  try {
    const addresses = await listenOn(listen, async (host, port) => {
      const { handle, bound } = await bind(host, port);
      handles.push(handle);
      return { port: bound };
    });
    return addresses.map((address, index) => ({ address, handle: handles[index]! }));
  } catch (error) {
    for (const handle of handles) handle.close();
    throw error;
  }
}

async function bind(host: string, port: number): Promise<{ handle: SocketHandle; bound: number }> {
  const { address, family } = await lookup(host);
  const made = (net as unknown as NodeNet)._createServerHandle(
    address,
    port,
    family === 6 ? 6 : 4,
    -1,
    0,
  );
  if (typeof made === 'number') throw listenError(made, address, port);
  const name: { port?: number } = {};
  // A port that is in use shows here.
  const fault = made.getsockname(name);
  if (fault !== 0) {
    made.close();
    throw listenError(fault, address, port);
  }
  return { handle: made, bound: name.port ?? port };
}

function listenError(errno: number, address: string, port: number): Error {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`listen ${code}: ${address}:${port}`), {
    code,
    errno,
    syscall: 'listen',
    address,
    port,
  });
}
