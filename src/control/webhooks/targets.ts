import type { LookupAddress } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import ipaddr from 'ipaddr.js';

/**
 * Where webhooks may lead. Whoever can create one must not reach through us what only we can reach: other addresses of this machine,
 * its networks, the metadata services of clouds. So the address that is connected to is what counts, not the name: it is looked at
 * each time, between the answer of the resolver and the connection that is made to that very answer.
 */

/** Addresses that look public and are answered by the cloud's own host: Azure's wire server. */
const serviceAddresses: ReadonlySet<string> = new Set(['168.63.129.16']);

/** Global unicast, as far as it is handed out: https://www.iana.org/assignments/ipv6-address-space */
const globalUnicast = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Only what is neither special nor another address in disguise: IPv4 within IPv6 (mapped, compatible, translated, 6to4, Teredo, NAT64)
 * is refused whatever it holds.
 */
export function isPublicAddress(text: string): boolean {
  // A zone ("fe80::1%eth0") is of a link.
  if (!ipaddr.isValid(text) || text.includes('%')) return false;
  const address = ipaddr.parse(text);
  if (address.range() !== 'unicast') return false;
  if (address instanceof ipaddr.IPv6) return address.match(...globalUnicast);
  return !serviceAddresses.has(address.toString());
}

export class TargetRefused extends Error {
  constructor(address: string) {
    super(`${address} is not a public address (api.webhook_private_targets)`);
    this.name = 'TargetRefused';
  }
}

/** Rejects where the name has no address. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>;

/**
 * Asks name servers itself: the system's `getaddrinfo` takes one of the few threads in which keys are verified, and a name server of
 * somebody's choice can keep it there. What only this machine calls by a name, in its hosts file, is no public target.
 */
const askNameServers: Resolve = async (host) => {
  const resolver = new Resolver({ timeout: 3_000, tries: 2 });
  const [four, six] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  if (four.status === 'rejected' && six.status === 'rejected') throw four.reason;
  return [
    ...(four.status === 'fulfilled' ? four.value.map((address) => ({ address, family: 4 })) : []),
    ...(six.status === 'fulfilled' ? six.value.map((address) => ({ address, family: 6 })) : []),
  ];
};

/** One address that is not public spoils all of them, since which one is taken is not ours to say. */
async function checkedAddresses(resolve: Resolve, host: string): Promise<readonly LookupAddress[]> {
  const addresses = await resolve(host);
  if (addresses.length === 0) throw new Error(`${host} has no address`);
  const bad = addresses.find(({ address }) => !isPublicAddress(address));
  if (bad !== undefined) throw new TargetRefused(bad.address);
  return addresses;
}

const lookUp = callbackify(checkedAddresses);

/** For `lookup` of node:net: gives the addresses of the one answer that was checked. Not called for addresses; see `refuseLiteral`. */
export function guardedLookup(resolve: Resolve = askNameServers): LookupFunction {
  return (host, { all }, done) => {
    lookUp(resolve, host, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error !== null) done(error, '', 0);
      else if (all === true) done(null, [...addresses]);
      else done(null, first!.address, first!.family);
    });
  };
}

/** What a URL's host is once it is read: without brackets, lower-case. */
export function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

/** Throws for an address that is named itself, of which no resolver is asked, and for this machine's own name. */
export function refuseLiteral(url: URL): void {
  const host = hostOf(url);
  if (isIP(host) === 0 ? isLoopbackName(host) : !isPublicAddress(host))
    throw new TargetRefused(host);
}

export function isLoopbackName(host: string): boolean {
  if (/^(?:.+\.)?localhost\.?$/.test(host)) return true;
  return isIP(host) !== 0 && ipaddr.parse(host).range() === 'loopback';
}
