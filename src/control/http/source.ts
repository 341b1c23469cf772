import type { IncomingMessage } from 'node:http';
import { isWithin, readAddress } from '../../shared/networks.ts';

/** Of whom a reverse proxy says nothing that is an address. No network contains it. */
const unknown = 'unknown';

/**
 * The address that a request comes from, in its shortest true form. Each reverse proxy adds to the right of X-Forwarded-For who connected
 * to it, so what stands there is believed from right to left, as long as a trusted one has said it; the rest can be anybody's invention.
 */
export function sourceOf(
  { headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>,
  trusted: readonly string[],
): string {
  let source = readAddress(socket.remoteAddress ?? '') ?? unknown;
  // Node has put several headers into one.
  const said = String(headers['x-forwarded-for'] ?? '').split(',');
  while (isWithin(trusted, source) && said.length > 0) {
    const entry = said.pop()!.trim();
    if (entry !== '') source = readAddress(withoutPort(entry)) ?? unknown;
  }
  return source;
}

/** `192.0.2.1:1234` and `[2001:db8::1]:1234`, as some write them. */
function withoutPort(entry: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(entry) ?? [];
  return bracketed ?? plain ?? entry;
}
