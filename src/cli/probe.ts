import { connect } from 'node:net';

/** SSLRequest: eight bytes that every Postgres-speaking server answers with one, before any authentication. */
const sslRequest = Buffer.from([0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]);

/** Whether something that speaks the Postgres protocol answers there. Needs no key, so it serves as a health check. */
export async function answers(host: string, port: number, timeoutMs = 5000): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host, port });
  socket.setTimeout(timeoutMs, () => resolve(false));
  socket.once('connect', () => socket.write(sslRequest));
  socket.once('data', (data) => resolve(data[0] === 0x53 || data[0] === 0x4e));
  socket.once('error', () => resolve(false));
  socket.once('close', () => resolve(false));
  try {
    return await promise;
  } finally {
    socket.destroy();
  }
}
