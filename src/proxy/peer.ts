import type { Socket } from 'node:net';

export interface Peer {
  /** The address in its shortest true form: an IPv4 address that arrived mapped into IPv6 is shown as IPv4. */
  readonly address: string;
  readonly isLoopback: boolean;
}

export function peerOf(socket: Socket): Peer {
  const address = (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
  return { address, isLoopback: isLoopbackAddress(address) };
}

export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^127\.\d+\.\d+\.\d+$/.test(address);
}
