/**
 * `relay-process.ts SOCKET`: a bare relay from a free TCP port, which it prints, to a unix socket or a TCP port. Nothing is read; what Node's
 * streams cost a proxy that does nothing at all.
 */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

const [target] = process.argv.slice(2);
const server = createServer({ noDelay: true }, (near) => {
  const far = /^\d+$/.test(target!)
    ? connect({ port: Number(target), host: '127.0.0.1', noDelay: true })
    : connect(target!);
  for (const [one, other] of [
    [near, far],
    [far, near],
  ] as const) {
    one.pipe(other);
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
console.log((server.address() as AddressInfo).port);
