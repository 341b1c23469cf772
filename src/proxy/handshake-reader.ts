import type { Socket } from 'node:net';
import { HatiError } from '../errors.ts';
import { FrontendFramer, type FrontendMessage } from '../wire/framing.ts';
import { decodeProxyHeader, proxyHeaderLength } from '../wire/proxy-header.ts';
import {
  decodeStartupPacket,
  startupPacketLength,
  type StartupPacket,
} from '../wire/startup-packet.ts';

/** Before a client is authenticated it has no business sending more than this in one message. */
const largestMessage = 10_000;

/** The client went away before it was authenticated: nobody is left to be told. */
export class ClientGone extends Error {
  override readonly name = 'ClientGone';
}

/** Reads packets one by one while a connection is being set up. Between reads the socket is paused. */
export class HandshakeReader {
  private readonly socket: Socket;
  private buffered: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.socket = socket;
    socket.pause();
  }

  /** Bytes behind the last packet that was read. */
  get rest(): Buffer {
    return this.buffered;
  }

  /** It stays where it is. */
  async firstByte(): Promise<number> {
    while (this.buffered.length === 0) await this.more();
    return this.buffered[0]!;
  }

  /** Gives everything back to the socket; this reader is done. */
  unread(): void {
    const { buffered } = this;
    this.buffered = Buffer.alloc(0);
    if (buffered.length > 0) this.socket.unshift(buffered);
  }

  /** What stands before the first packet where a load balancer has connected. @returns as `decodeProxyHeader` */
  async proxyHeader(): Promise<string | undefined> {
    return decodeProxyHeader(await this.whole(proxyHeaderLength));
  }

  async startupPacket(): Promise<StartupPacket> {
    return decodeStartupPacket(await this.whole(startupPacketLength));
  }

  /** @param lengthOf of what is at the head; undefined while that is not known */
  private async whole(lengthOf: (data: Buffer) => number | undefined): Promise<Buffer> {
    for (;;) {
      const length = lengthOf(this.buffered);
      if (length !== undefined && this.buffered.length >= length) {
        const found = this.buffered.subarray(0, length);
        this.drop(length);
        return found;
      }
      await this.more();
    }
  }

  async message(): Promise<FrontendMessage> {
    for (;;) {
      const framer = new FrontendFramer(largestMessage);
      framer.push(this.buffered);
      const message = framer.next();
      if (message !== undefined) {
        this.drop(message.raw.length);
        return message;
      }
      await this.more();
    }
  }

  /** What was read is kept by nobody: an empty part of it would keep the password in memory for as long as the session lasts. */
  private drop(length: number): void {
    const { buffered } = this;
    this.buffered = length === buffered.length ? Buffer.alloc(0) : buffered.subarray(length);
  }

  private async more(): Promise<void> {
    const { socket } = this;
    const chunk = await new Promise<Buffer>((resolve, reject) => {
      const settle = (act: () => void) => (): void => {
        socket.off('data', onData).off('close', onGone).off('end', onGone).off('error', onGone);
        socket.pause();
        act();
      };
      const onData = (data: Buffer): void => settle(() => resolve(data))();
      const onGone = settle(() => reject(new ClientGone()));
      socket.on('data', onData).once('close', onGone).once('end', onGone).once('error', onGone);
      if (socket.destroyed || socket.readableEnded) onGone();
      else socket.resume();
    });
    this.buffered = this.buffered.length === 0 ? chunk : Buffer.concat([this.buffered, chunk]);
    if (this.buffered.length > largestMessage * 2) {
      throw new HatiError('protocol_violation', {
        params: { reason: 'too many bytes before authentication' },
      });
    }
  }
}
