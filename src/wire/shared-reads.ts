/**
 * Reads of sockets that share their memory.
 *
 * Node allocates 64 KiB for every read of a socket and shrinks them to what came. For messages as short as ours that, and the way
 * of each chunk through the stream, costs more than all that we do with them. Its `onread` option
 * (https://nodejs.org/api/net.html#new-netsocketoptions) reads into a buffer of the caller's instead, but only sockets take
 * it that the caller makes, and they are no streams any more. So what the option puts into a new socket is put here into one that is
 * connected, wherever it comes from. Where Node keeps it is found by looking at a socket that was made with the option; a Node that
 * keeps it elsewhere goes on reading as it always did.
 *
 * For those who use the socket nothing changes: 'data', 'end', pause, resume and what is held while it is paused are the stream's own.
 * Nobody sees the shared memory, since every chunk is a copy, which small ones are cheap to make. A socket on which much
 * comes at once has memory of its own meanwhile, that is given away with what was read into it.
 *
 * `lendReads` is for a socket whose reader passes most of it on at once: it has memory of its own from the first chunk that is
 * not small, and reads into it again and again, as long as the reader gives each chunk back before it returns.
 */
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';

const readBytes = 64 * 1024;
/** From here on a copy costs more than memory that can be given away. */
const manyBytes = 32 * 1024;
/** Chunks up to `fewBytes` are parts of one piece of memory, small because each of them keeps all of it. */
const slabBytes = 8 * 1024;
const fewBytes = 1024;

const shared = Buffer.alloc(readBytes);
/** What the socket that has just been read shall read into next; undefined: as before. */
let next: Buffer | undefined;

/** Where a socket keeps what `onread` says. */
interface Places {
  readonly buffer: PropertyKey;
  readonly nextBuffer: PropertyKey;
  readonly callback: PropertyKey;
}

type Fields = Record<PropertyKey, unknown>;

interface Handle {
  useUserBuffer?(buffer: Buffer): void;
}

const places = findPlaces();

/**
 * From now on the connected socket reads this way, if it can: sockets with TLS go on as before.
 * @returns whether it does
 */
export function shareReads(socket: Socket): boolean {
  return readWith(socket, onRead);
}

/** As `shareReads`; chunks that are not small have to be given back (`giveBack`), or cost memory for the next one. */
export function lendReads(socket: Socket): boolean {
  return readWith(socket, onLendingRead);
}

/** What the reader of a lending socket has before it. */
let lent: Buffer | undefined;
let givenBack = 0;

/**
 * Called by the reader of a lending socket, for each part of the chunk that it has before it, once nobody needs the part any more.
 * @param chunk from any socket, or a copy of one: then it means nothing
 * @param bytes how many of it
 */
export function giveBack(chunk: Buffer, bytes: number): void {
  if (lent !== undefined && chunk.buffer === lent.buffer) givenBack += bytes;
}

function readWith(socket: Socket, callback: typeof onRead): boolean {
  const fields = socket as unknown as Fields;
  const handle = fields['_handle'] as Handle | null | undefined;
  if (places === undefined || socket instanceof TLSSocket || socket.connecting) return false;
  if (typeof handle?.useUserBuffer !== 'function' || fields[places.buffer] !== null) return false;
  fields[places.buffer] = shared;
  fields[places.nextBuffer] = takeNext;
  fields[places.callback] = callback;
  Object.assign(socket, asStream);
  handle.useUserBuffer(shared);
  return true;
}

/** A socket made with `onread` is deaf while it is paused, also to its end. Streams go on listening. */
const asStream = {
  pause(this: Socket): Socket {
    return Readable.prototype.pause.call(this) as Socket;
  },
  resume(this: Socket): Socket {
    return Readable.prototype.resume.call(this) as Socket;
  },
  read(this: Socket, size?: number): unknown {
    return Readable.prototype.read.call(this, size);
  },
};

function onRead(this: Socket, length: number, from: Buffer): boolean {
  const isMuch = length >= manyBytes;
  const chunk = isMuch && from !== shared ? from.subarray(0, length) : copyOf(from, length);
  const wantsMore = hand(this, chunk);
  // Whoever is paused gets no memory of his own for it.
  if (isMuch && wantsMore && this.readableFlowing === true)
    next = Buffer.allocUnsafeSlow(readBytes);
  else next = from === shared ? undefined : shared;
  return wantsMore;
}

function onLendingRead(this: Socket, length: number, from: Buffer): boolean {
  const isOwn = from !== shared;
  if (!isOwn || length <= fewBytes) {
    const wantsMore = hand(this, copyOf(from, length));
    next = isOwn || length <= fewBytes ? undefined : Buffer.allocUnsafeSlow(readBytes);
    return wantsMore;
  }
  const chunk = from.subarray(0, length);
  lent = chunk;
  givenBack = 0;
  const wantsMore = hand(this, chunk);
  next = givenBack === length ? undefined : Buffer.allocUnsafeSlow(readBytes);
  lent = undefined;
  return wantsMore;
}

/** As the stream does it, only without asking whether there is more. @returns as `push` */
function hand(socket: Socket, chunk: Buffer): boolean {
  if (socket.readableFlowing !== true || socket.readableLength > 0) return socket.push(chunk);
  socket.emit('data', chunk);
  return true;
}

/** Called behind `onRead`, for the same socket. */
function takeNext(): Buffer | undefined {
  const taken = next;
  next = undefined;
  return taken;
}

let slab = Buffer.allocUnsafeSlow(slabBytes);
let used = 0;

function copyOf(from: Buffer, length: number): Buffer {
  if (length > fewBytes) {
    const copy = Buffer.allocUnsafeSlow(length);
    from.copy(copy, 0, 0, length);
    return copy;
  }
  if (used + length > slabBytes) {
    slab = Buffer.allocUnsafeSlow(slabBytes);
    used = 0;
  }
  const start = used;
  used += length;
  from.copy(slab, start, 0, length);
  return slab.subarray(start, used);
}

function findPlaces(): Places | undefined {
  const callback = (): boolean => true;
  const giveBuffer = (): Buffer => shared;
  const keyOf = (buffer: Buffer | (() => Buffer), value: unknown): PropertyKey | undefined => {
    const socket = new Socket({ onread: { buffer, callback } });
    const fields = socket as unknown as Fields;
    return Reflect.ownKeys(socket).find((key) => fields[key] === value);
  };
  const found = {
    buffer: keyOf(shared, shared),
    nextBuffer: keyOf(giveBuffer, giveBuffer),
    callback: keyOf(shared, callback),
  };
  const { buffer, nextBuffer, callback: called } = found;
  if (buffer === undefined || nextBuffer === undefined || called === undefined) return undefined;
  return { buffer, nextBuffer, callback: called };
}
