import ipaddr from 'ipaddr.js';

/**
 * Addresses and networks: from where a key may be used, which machines are believed. An IPv4 address that came mapped into IPv6
 * (`::ffff:10.0.0.1`) is the IPv4 address, in lists as well as in what is compared with them.
 */

/** The canonical form of a CIDR or an address; undefined for what is neither, or names bits behind its prefix. */
export function readNetwork(text: string): string | undefined {
  if (!/^[0-9a-fA-F:.]+(?:\/\d{1,3})?$/.test(text)) return undefined;
  try {
    const [address, bits] = parse(text);
    const network = `${address.toString()}/${bits}`;
    const first =
      address.kind() === 'ipv4'
        ? ipaddr.IPv4.networkAddressFromCIDR(network)
        : ipaddr.IPv6.networkAddressFromCIDR(network);
    return first.toString() === address.toString() ? network : undefined;
  } catch {
    return undefined;
  }
}

/** @param networks as `readNetwork` gives them; none: from anywhere. @param address false for what is none */
export function allowsAddress(networks: readonly string[], address: string): boolean {
  return networks.length === 0 || isWithin(networks, address);
}

/** @param networks as `readNetwork` gives them; none: nothing is. @param address false for what is none */
export function isWithin(networks: readonly string[], address: string): boolean {
  if (networks.length === 0 || !ipaddr.isValid(address)) return false;
  const source = ipaddr.process(address);
  return networks.some((network) => {
    const [first, bits] = ipaddr.parseCIDR(network);
    return first.kind() === source.kind() && source.match(first, bits);
  });
}

/** Its shortest true form, which is the one that is compared and shown; undefined for what is no address. */
export function readAddress(text: string): string | undefined {
  return ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text)
    ? ipaddr.process(text).toString()
    : undefined;
}

/** Whether every address of the ones is in the others, each network in one of them. Lists as `readNetwork` gives them; none: all. */
export function liesWithin(networks: readonly string[], others: readonly string[]): boolean {
  if (others.length === 0) return true;
  return networks.length > 0 && networks.every((each) => others.some((other) => isIn(each, other)));
}

function isIn(network: string, other: string): boolean {
  const [first, bits] = ipaddr.parseCIDR(network);
  const [otherFirst, otherBits] = ipaddr.parseCIDR(other);
  return (
    first.kind() === otherFirst.kind() && bits >= otherBits && first.match(otherFirst, otherBits)
  );
}

const mappedBits = 96;

function parse(text: string): [ipaddr.IPv4 | ipaddr.IPv6, number] {
  const [host = '', bits] = text.split('/', 2);
  // "10.1" and "010.0.0.1" mean different things to different readers.
  if (!host.includes(':') && !ipaddr.IPv4.isValidFourPartDecimal(host))
    throw new Error('no address');
  const address = ipaddr.parse(host);
  const full = address.kind() === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? full : Number(bits);
  if (length > full) throw new Error('no such prefix');
  if (address instanceof ipaddr.IPv6 && address.isIPv4MappedAddress() && length >= mappedBits)
    return [address.toIPv4Address(), length - mappedBits];
  return [address, length];
}
