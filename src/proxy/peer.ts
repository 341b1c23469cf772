import type { Socket } from 'node:net';
import { isWithin } from '../shared/networks.ts';
import { ClientGone, HandshakeReader } from './handshake-reader.ts';

export interface Peer {
  /** The address in its shortest true form: an IPv4 address that arrived mapped into IPv6 is shown as IPv4. */
  readonly address: string;
  /** It is on this machine, and nothing between us has left it. */
  readonly isLoopback: boolean;
}

export function peerOf(socket: Socket): Peer {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
  return { address, isLoopback: isLoopbackAddress(address) };
}

/**
 * For whom a connection is. A load balancer has to say it before anything else, or speaks for itself; anybody else is himself.
 * Throws HatiError for a header that is refused, ClientGone when nobody is left.
 * @param trusted networks of load balancers
 */
export async function clientOf(socket: Socket, trusted: readonly string[]): Promise<Peer> {
  const peer = peerOf(socket);
  // Reset before it was accepted: nobody can say any more where it came from.
  if (peer.address === '') throw new ClientGone();
  if (!isWithin(trusted, peer.address)) return peer;
  const reader = new HandshakeReader(socket);
  const address = await reader.proxyHeader();
  reader.unread();
  if (address === undefined) return peer;
  return { address, isLoopback: peer.isLoopback && isLoopbackAddress(address) };
}

export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}
