/**
 * `bun bun-relay.ts SOCKET`: the bare relay of bench/throughput/relay-process.ts on Bun's own sockets (https://bun.com/docs/api/tcp),
 * for docs/decisions/0021-runtime.md. From a free TCP port, which it prints, to a unix socket or a TCP port.
 */
interface BunSocket {
  data: Side;
  write(bytes: Uint8Array): number;
  end(): void;
  pause(): void;
  resume(): void;
}

interface Handlers {
  open?(socket: BunSocket): void;
  data(socket: BunSocket, chunk: Uint8Array): void;
  drain(socket: BunSocket): void;
  close(socket: BunSocket): void;
  error?(socket: BunSocket, error: Error): void;
  connectError?(socket: BunSocket, error: Error): void;
}

type Where = { readonly unix: string } | { readonly hostname: string; readonly port: number };

declare const Bun: {
  listen(options: Where & { readonly socket: Handlers }): { readonly port: number };
  connect(options: Where & { readonly data: Side; readonly socket: Handlers }): Promise<BunSocket>;
};

/** One of two sockets that belong together. */
interface Side {
  other: BunSocket | undefined;
  /** What could not be written to this one yet; the other one is not read meanwhile. */
  waiting: Uint8Array[];
}

const [target] = process.argv.slice(2);
const where: Where = /^\d+$/.test(target!)
  ? { hostname: '127.0.0.1', port: Number(target) }
  : { unix: target! };

function pass(from: BunSocket, chunk: Uint8Array): void {
  const to = from.data.other;
  if (to === undefined) {
    // The engine is not there yet.
    from.data.waiting.push(chunk.slice());
    return;
  }
  const written = Math.max(0, to.write(chunk));
  if (written === chunk.length) return;
  to.data.waiting.push(chunk.slice(written));
  from.pause();
}

function drain(to: BunSocket): void {
  const { waiting, other } = to.data;
  for (let first = waiting[0]; first !== undefined; first = waiting[0]) {
    const written = Math.max(0, to.write(first));
    if (written < first.length) {
      waiting[0] = first.subarray(written);
      return;
    }
    waiting.shift();
  }
  other?.resume();
}

const both: Handlers = {
  data: pass,
  drain,
  close: (socket) => socket.data.other?.end(),
  error: (socket) => socket.data.other?.end(),
};

const server = Bun.listen({
  hostname: '127.0.0.1',
  port: 0,
  socket: {
    ...both,
    open: (near) => {
      near.data = { other: undefined, waiting: [] };
      void join(near);
    },
  },
});
console.log(server.port);

async function join(near: BunSocket): Promise<void> {
  try {
    const far = await Bun.connect({ ...where, data: { other: near, waiting: [] }, socket: both });
    const early = near.data.waiting;
    near.data = { other: far, waiting: [] };
    for (const chunk of early) pass(near, chunk);
  } catch {
    near.end();
  }
}
