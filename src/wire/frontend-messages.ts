import { Frontend } from './protocol.ts';
import { MessageWriter } from './writer.ts';

/** Messages that the proxy sends to the engine on its own account. */

export const sync = new MessageWriter().finish(Frontend.Sync);
export const flush = new MessageWriter().finish(Frontend.Flush);
export const terminate = new MessageWriter().finish(Frontend.Terminate);

/**
 * An Execute that the engine is sure to refuse, because no portal has this name.
 *
 * It stands in for a message that we refused: the engine then does what it would have done had it refused it
 * itself (abort the transaction, skip to Sync, answer in order), and only its ErrorResponse is replaced by ours.
 */
export const refusedByHatiData = new MessageWriter()
  .cstring('refused by HatiData before it reached the engine')
  .int32(0)
  .finish(Frontend.Execute);

export function query(text: string): Buffer {
  return new MessageWriter().cstring(text).finish(Frontend.Query);
}

export function describeStatement(name: string): Buffer {
  return new MessageWriter().text('S').cstring(name).finish(Frontend.Describe);
}

/** Execute of the unnamed portal, all rows. */
export const executePortal = new MessageWriter().cstring('').int32(0).finish(Frontend.Execute);

export interface ParseMessage {
  readonly name: string;
  readonly text: string;
  readonly parameterTypes: readonly number[];
}

export function parse(message: ParseMessage): Buffer {
  const writer = new MessageWriter()
    .cstring(message.name)
    .cstring(message.text)
    .int16(message.parameterTypes.length);
  for (const oid of message.parameterTypes) writer.int32(oid);
  return writer.finish(Frontend.Parse);
}

/** A CancelRequest packet: no type byte, sent on a connection of its own. */
export function cancelRequest(processId: number, secret: Buffer): Buffer {
  const packet = Buffer.allocUnsafe(12 + secret.length);
  packet.writeInt32BE(packet.length, 0);
  packet.writeInt32BE(80877102, 4);
  packet.writeInt32BE(processId, 8);
  secret.copy(packet, 12);
  return packet;
}

/** An SSLRequest packet. */
export const sslRequest = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47]);
