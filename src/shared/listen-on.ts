import type { AddressInfo, Server } from 'node:net';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `localhost` is both loopback addresses, because clients try either first; a machine without IPv6 has only one. */
export async function listenOn(
  { host, port }: Address,
  bind: (host: string, port: number) => Promise<{ readonly port: number }>,
): Promise<Address[]> {
  if (host !== 'localhost') {
    const bound = await bind(host, port);
    return [{ host, port: bound.port }];
  }
  const first = await bind('127.0.0.1', port);
  const addresses = [{ host: '127.0.0.1', port: first.port }];
  try {
    const second = await bind('::1', first.port);
    addresses.push({ host: '::1', port: second.port });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EADDRNOTAVAIL' && code !== 'EAFNOSUPPORT') throw error;
  }
  return addresses;
}

/** Why an address can't be listened on, for whoever chose it. */
export function listenReason(error: unknown, { host, port }: Address): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port} is in use`;
    case 'EACCES':
      return `this user may not listen on port ${port}`;
    case 'EADDRNOTAVAIL':
      return `"${host}" is not an address of this machine`;
    default:
      return `${host}:${port} cannot be listened on (${code})`;
  }
}

/**
 * @param where a socket that is bound already, or where to listen
 * @returns the address. Rejects with the system's error (EADDRINUSE …)
 */
export async function startListening(server: Server, where: object): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return server.address() as AddressInfo;
}
