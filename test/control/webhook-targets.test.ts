/** Where webhooks may not lead: by address, by name, and by a name that answers something else the second time. */
import type { LookupAddress } from 'node:dns';
import { createServer, type AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkedUrl, delayAfter } from '../../src/control/webhooks/model.ts';
import { send } from '../../src/control/webhooks/send.ts';
import { signatureOf } from '../../src/control/webhooks/signature.ts';
import {
  guardedLookup,
  isPublicAddress,
  TargetRefused,
  type Resolve,
} from '../../src/control/webhooks/targets.ts';

describe('addresses', () => {
  test.each([
    ['unspecified', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['private', '10.0.0.1'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['private', '192.168.1.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['metadata, Alibaba', '100.100.100.200'],
    ['link-local, metadata of most clouds', '169.254.169.254'],
    ['link-local, metadata of ECS', '169.254.170.2'],
    ['wire server of Azure', '168.63.129.16'],
    ['metadata, Oracle', '192.0.0.192'],
    ['documentation', '192.0.2.1'],
    ['documentation', '203.0.113.7'],
    ['benchmarks', '198.18.0.1'],
    ['multicast', '224.0.0.1'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['mapped', '::ffff:127.0.0.1'],
    ['mapped, though public', '::ffff:93.184.215.14'],
    ['mapped, in hex', '::ffff:a00:1'],
    ['compatible', '::127.0.0.1'],
    ['translated', '::ffff:0:10.0.0.1'],
    ['NAT64', '64:ff9b::10.0.0.1'],
    ['NAT64, local use', '64:ff9b:1::a00:1'],
    ['6to4', '2002:7f00:1::'],
    ['Teredo', '2001:0:4136:e378:8000:63bf:3fff:fdd2'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%lo'],
    ['unique local', 'fd00::1'],
    ['metadata of EC2', 'fd00:ec2::254'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['documentation', '2001:db8::1'],
    ['discard', '100::1'],
    ['not handed out', '4000::1'],
    ['no address', 'localhost'],
  ])('%s: %s is refused', (_what, address) => expect(isPublicAddress(address)).toBe(false));

  test.each(['1.1.1.1', '93.184.215.14', '172.32.0.1', '100.63.255.255', '2606:4700::1111'])(
    '%s is public',
    (address) => expect(isPublicAddress(address)).toBe(true),
  );
});

describe('URLs', () => {
  test.each([
    'https://127.0.0.1/',
    'https://localhost/',
    'http://localhost:8080/',
    'https://sub.localhost/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://0177.0.0.1/',
    'https://127.1/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://169.254.169.254/latest/meta-data/',
    'https://10.0.0.1:8443/',
  ])('%s is refused, and with the setting it is not', (url) => {
    expect(() => checkedUrl(url, false)).toThrow(/public address/);
    expect(checkedUrl(url, true)).toMatch(/^https?:/);
  });

  test('plain HTTP leads to this machine only', () => {
    expect(() => checkedUrl('http://10.0.0.1/', true)).toThrow(/https/);
    expect(checkedUrl('http://[::1]:1234/x', true)).toBe('http://[::1]:1234/x');
  });
});

const of = (...addresses: string[]): LookupAddress[] =>
  addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));

/** What comes of one look-up. */
function look(resolve: Resolve, all = true): Promise<unknown> {
  return new Promise((settle) => {
    guardedLookup(resolve)('name.example', { all }, (error, address) => settle(error ?? address));
  });
}

describe('names', () => {
  test('every address of the answer is looked at', async () => {
    const mixed: Resolve = () => Promise.resolve(of('93.184.215.14', '10.0.0.1'));
    expect(await look(mixed)).toBeInstanceOf(TargetRefused);
    expect(await look(mixed, false)).toBeInstanceOf(TargetRefused);
  });

  test('the answer that was looked at is the one that is connected to', async () => {
    const good: Resolve = () => Promise.resolve(of('93.184.215.14', '2606:4700::1111'));
    expect(await look(good)).toEqual(of('93.184.215.14', '2606:4700::1111'));
    expect(await look(good, false)).toBe('93.184.215.14');
  });

  test('no answer, and an empty one, are errors', async () => {
    expect(await look(() => Promise.reject(new Error('ENOTFOUND')))).toBeInstanceOf(Error);
    expect(await look(() => Promise.resolve([]))).toBeInstanceOf(Error);
  });

  test('one that answers something else the second time is refused then', async () => {
    const answers = [of('93.184.215.14'), of('127.0.0.1')];
    const rebinding: Resolve = () => Promise.resolve(answers.shift()!);
    expect(await look(rebinding)).toEqual(of('93.184.215.14'));
    expect(await look(rebinding)).toBeInstanceOf(TargetRefused);
    expect(answers).toEqual([]);
  });
});

describe('what is sent', () => {
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  beforeAll(() => new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done())));
  afterAll(() => new Promise((done) => server.close(done)));
  const options = { limitMs: 5_000, signal: new AbortController().signal };

  test.each(['127.0.0.1', 'localhost', '0x7f000001'])(
    'makes no connection to %s, by whatever protocol',
    async (host) => {
      const { port } = server.address() as AddressInfo;
      for (const protocol of ['http', 'https']) {
        const url = `${protocol}://${host}:${port}/`;
        const lookup = guardedLookup();
        const outcome = await send({ url, headers: {}, body: '{}' }, { ...options, lookup });
        expect(outcome.status).toBeUndefined();
        expect(outcome.error).toMatch(/is not a public address/);
      }
      expect(connections).toBe(0);
    },
  );

  test('asks the resolver once for each try, and goes nowhere when it turns', async () => {
    const { port } = server.address() as AddressInfo;
    let asked = 0;
    const lookup = guardedLookup(() => {
      asked += 1;
      return Promise.resolve(of('127.0.0.1'));
    });
    const url = `https://rebound.example:${port}/`;
    const outcome = await send({ url, headers: {}, body: '{}' }, { ...options, lookup });
    expect([asked, connections]).toEqual([1, 0]);
    expect(outcome.error).toMatch(/127\.0\.0\.1 is not a public address/);
  });
});

test('the signature is the one of the contract', () => {
  // printf '{"a":1}' | openssl dgst -sha256 -hmac whsec_x
  expect(signatureOf('{"a":1}', 'whsec_x')).toBe(
    'sha256=11515c78185d4a04d2abe8240f4aa3419b03f6ffeb3fffc68a455edc9e9460e5',
  );
});

test('waits grow, with jitter, up to a day', () => {
  expect([delayAfter(1, 0), delayAfter(1, 1)]).toEqual([5_000, 10_000]);
  expect(delayAfter(4, 1)).toBe(80_000);
  expect(delayAfter(40, 1)).toBe(24 * 3_600_000);
  expect(delayAfter(2_000, 0)).toBe(12 * 3_600_000);
});
