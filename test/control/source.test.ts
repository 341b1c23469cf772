/** Where a request comes from: X-Forwarded-For, as far as trusted proxies have said it. */
import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../src/control/http/source.ts';
import { startTestControlPlane } from '../fixtures/control-plane.ts';

const trusted = ['10.0.0.0/8', '2001:db8:1::/48'];

function source(peer: string | undefined, forwarded?: string): string {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return sourceOf({ headers, socket: { remoteAddress: peer } as never }, trusted);
}

describe('the address of a request', () => {
  test.each<[string, string | undefined, string | undefined, string]>([
    ['without a header', '192.0.2.1', undefined, '192.0.2.1'],
    ['of a proxy without a header', '10.0.0.1', undefined, '10.0.0.1'],
    ['mapped into IPv6', '::ffff:192.0.2.1', undefined, '192.0.2.1'],
    ['of nobody any more', undefined, '192.0.2.7', 'unknown'],
    ['a header of somebody else', '192.0.2.1', '192.0.2.7', '192.0.2.1'],
    ['a header of a proxy', '10.0.0.1', '192.0.2.7', '192.0.2.7'],
    ['of a proxy that is mapped', '::ffff:10.0.0.1', '192.0.2.7', '192.0.2.7'],
    ['of a proxy on IPv6', '2001:db8:1::1', '2001:DB8:0::7', '2001:db8::7'],
    ['a mapped client', '10.0.0.1', '::ffff:192.0.2.7', '192.0.2.7'],
    ['the rightmost that is no proxy', '10.0.0.1', '198.51.100.1, 192.0.2.7', '192.0.2.7'],
    ['behind two proxies', '10.0.0.1', '1.2.3.4, 192.0.2.7, 10.0.0.2', '192.0.2.7'],
    ['a proxy of its own accord', '10.0.0.1', '10.0.0.3, 10.0.0.2', '10.0.0.3'],
    ['with ports', '10.0.0.1', '192.0.2.7:5000, [2001:db8:1::2]:443, 10.0.0.2:80', '192.0.2.7'],
    ['in brackets', '10.0.0.1', '[2001:db8::7]', '2001:db8::7'],
    ['with empty entries', '10.0.0.1', ' ,192.0.2.7,, ', '192.0.2.7'],
    ['an empty header', '10.0.0.1', '', '10.0.0.1'],
    ['garbage that nobody looks at', '10.0.0.1', 'x, 192.0.2.7', '192.0.2.7'],
    ['garbage of a proxy', '10.0.0.1', '192.0.2.7, me', 'unknown'],
    ['numbers that mean several things', '10.0.0.1', '010.0.0.7', 'unknown'],
    ['parts of an address', '10.0.0.1', '10.1', 'unknown'],
    ['a name', '10.0.0.1', 'localhost', 'unknown'],
  ])('%s', (_, peer, forwarded, expected) => {
    expect(source(peer, forwarded)).toBe(expected);
  });
});

test('several headers are read as one, and no key with networks is good for what is no address', async () => {
  const plane = await startTestControlPlane();
  try {
    const { token } = await plane.signIn();
    const { body } = await plane.request('POST', `/v1/environments/${plane.envId}/api-keys`, {
      as: token,
      body: {
        name: 'walled',
        scopes: ['key:read'],
        ip_allowlist: ['192.0.2.0/24', '127.0.0.0/8'],
      },
    });
    const statusFrom = async (...forwarded: string[]): Promise<number> => {
      const headers = new Headers({ 'x-api-key': body.key });
      for (const each of forwarded) headers.append('x-forwarded-for', each);
      const path = `${plane.base}/v1/environments/${plane.envId}/api-keys`;
      return (await fetch(path, { headers })).status;
    };
    expect(await statusFrom()).toBe(200);
    expect(await statusFrom('192.0.2.7')).toBe(200);
    expect(await statusFrom('198.51.100.1', '192.0.2.7')).toBe(200);
    expect(await statusFrom('192.0.2.7', '198.51.100.1')).toBe(403);
    expect(await statusFrom('somewhere')).toBe(403);
  } finally {
    await plane.stop();
  }
});
