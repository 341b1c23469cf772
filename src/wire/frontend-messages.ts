import { randomBytes } from 'node:crypto';
import { serialize } from 'pg-protocol';
import type { BindNames } from './decode.ts';
import { Frontend, headerBytes } from './protocol.ts';

/** Messages that the proxy sends to the engine on its own account. */

export const sync = serialize.sync();
export const flush = serialize.flush();
export const terminate = serialize.end();

const refusedText = 'refused by HatiData';

/**
 * An Execute that the engine is sure to refuse, because no portal has this name: no client can know it.
 *
 * It stands in for a message of the extended protocol that we refused: the engine then does what it would have done had
 * it refused it itself (abort the transaction, skip to Sync, answer in order), and only its ErrorResponse is replaced by
 * ours.
 */
export const refusedMessage = serialize.execute({
  portal: `refused by HatiData ${randomBytes(16).toString('hex')}`,
});

/** The same for a Query, with the ReadyForQuery that follows one: no grammar has this statement. */
export const refusedQuery = serialize.query(refusedText);

export function query(text: string): Buffer {
  return serialize.query(text);
}

export function describeStatement(name: string): Buffer {
  return serialize.describe({ type: 'S', name });
}

/** Describe of the unnamed portal. */
export const describePortal = serialize.describe({ type: 'P' });

/** Execute of the unnamed portal, all rows. */
export const executePortal = serialize.execute();

export interface ParseMessage {
  readonly name: string;
  readonly text: string;
  readonly parameterTypes: readonly number[];
}

export function parse({ name, text, parameterTypes }: ParseMessage): Buffer {
  return serialize.parse({ name, text, types: [...parameterTypes] });
}

/** The same Bind, of another statement. */
export function bindTo(
  statement: string,
  raw: Buffer,
  { portal, statement: named }: BindNames,
): Buffer {
  const portalBytes = Buffer.byteLength(portal) + 1;
  const tail = headerBytes + portalBytes + Buffer.byteLength(named) + 1;
  const length = 4 + portalBytes + statement.length + 1 + raw.length - tail;
  const message = Buffer.allocUnsafe(length + 1);
  message[0] = Frontend.Bind;
  message.writeInt32BE(length, 1);
  raw.copy(message, headerBytes, headerBytes, headerBytes + portalBytes);
  let at = headerBytes + portalBytes;
  at += message.write(statement, at, 'latin1');
  message[at] = 0;
  raw.copy(message, at + 1, tail);
  return message;
}

export function bind(statement: string, portal: string): Buffer {
  return serialize.bind({ statement, portal });
}

export function execute(portal: string): Buffer {
  return serialize.execute({ portal });
}

export function closePortal(name: string): Buffer {
  return serialize.close({ type: 'P', name });
}

export function closeStatement(name: string): Buffer {
  return serialize.close({ type: 'S', name });
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
