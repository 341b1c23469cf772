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
