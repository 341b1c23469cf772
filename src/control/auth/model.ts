import { createHash, randomBytes } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import type { Act } from '../act.ts';

/** The transaction of an act of one request; each call is one. */
export type Change = <T>(work: (act: Act) => Promise<T>) => Promise<T>;

export const hourMs = 3_600_000;
export const dayMs = 24 * hourMs;

const refreshTokenBytes = 32;

export function newRefreshToken(): string {
  return `hrt_${randomBytes(refreshTokenBytes).toString('base64url')}`;
}

/** As it is stored. Good for what is random and long; never for what a person has chosen. */
export function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** Who tries, and from where: what attempts are counted by. */
export interface Attempter {
  readonly account: Buffer;
  readonly network: string;
}

export function attempterOf(email: string, source: string): Attempter {
  return { account: digestOf(email.toLowerCase()), network: networkOf(source) };
}

const hostGroups = 4;

/** Whom an address belongs to, as far as it tells: one IPv4 address, or one IPv6 network of 64 bits. */
function networkOf(source: string): string {
  if (!ipaddr.isValid(source)) return source;
  const address = ipaddr.process(source);
  if (!(address instanceof ipaddr.IPv6)) return address.toString();
  const parts = [...address.parts.slice(0, hostGroups), 0, 0, 0, 0];
  return `${new ipaddr.IPv6(parts).toString()}/64`;
}
