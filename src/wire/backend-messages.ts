import type { HatiError } from '../errors.ts';
import { Backend, headerBytes, transactionStatusByte, type TransactionStatus } from './protocol.ts';
import { MessageWriter } from './writer.ts';

/** Messages that the proxy itself sends to a client. */

export const authenticationOk = new MessageWriter().int32(0).finish(Backend.Authentication);
export const authenticationCleartextPassword = new MessageWriter()
  .int32(3)
  .finish(Backend.Authentication);
export const parseComplete = new MessageWriter().finish(Backend.ParseComplete);
export const bindComplete = new MessageWriter().finish(Backend.BindComplete);
export const closeComplete = new MessageWriter().finish(Backend.CloseComplete);
export const noData = new MessageWriter().finish(Backend.NoData);
export const portalSuspended = new MessageWriter().finish(Backend.PortalSuspended);

export function readyForQuery(status: TransactionStatus): Buffer {
  return new MessageWriter().byte(transactionStatusByte(status)).finish(Backend.ReadyForQuery);
}

export function parameterStatus(name: string, value: string): Buffer {
  return new MessageWriter().cstring(name).cstring(value).finish(Backend.ParameterStatus);
}

/** `secret` has 4 bytes under protocol 3.0 and up to 256 from 3.2 on. */
export function backendKeyData(processId: number, secret: Buffer): Buffer {
  return new MessageWriter().int32(processId).add(secret).finish(Backend.BackendKeyData);
}

/** Tells a client which minor version it gets and which `_pq_.` options we do not know. */
export function negotiateProtocolVersion(minor: number, unknownOptions: readonly string[]): Buffer {
  const writer = new MessageWriter().int32((3 << 16) | minor).int32(unknownOptions.length);
  for (const option of unknownOptions) writer.cstring(option);
  return writer.finish(Backend.NegotiateProtocolVersion);
}

export function commandComplete(tag: string): Buffer {
  return new MessageWriter().cstring(tag).finish(Backend.CommandComplete);
}

/** Columns of type text; `formats` as the client asked for them in Bind (text and binary are the same bytes). */
export function textRowDescription(columns: readonly string[], format: 0 | 1 = 0): Buffer {
  const writer = new MessageWriter().int16(columns.length);
  for (const column of columns) {
    writer.cstring(column).int32(0).int16(0).int32(textOid).int16(-1).int32(-1).int16(format);
  }
  return writer.finish(Backend.RowDescription);
}

/** pg_type.oid of text. */
export const textOid = 25;

export function parameterDescription(oids: readonly number[]): Buffer {
  const writer = new MessageWriter().int16(oids.length);
  for (const oid of oids) writer.int32(oid);
  return writer.finish(Backend.ParameterDescription);
}

export function textDataRow(values: readonly (string | null)[]): Buffer {
  const writer = new MessageWriter().int16(values.length);
  for (const value of values) {
    if (value === null) {
      writer.int32(-1);
    } else {
      const bytes = Buffer.from(value, 'utf8');
      writer.int32(bytes.length).add(bytes);
    }
  }
  return writer.finish(Backend.DataRow);
}

export type Severity = 'ERROR' | 'FATAL';

export function backendMessage(type: number, body: Buffer): Buffer {
  const message = Buffer.allocUnsafe(headerBytes + body.length);
  message[0] = type;
  message.writeInt32BE(4 + body.length, 1);
  body.copy(message, headerBytes);
  return message;
}

export function errorResponse(error: HatiError, severity: Severity = 'ERROR'): Buffer {
  const writer = new MessageWriter()
    .text('S')
    .cstring(severity)
    .text('V')
    .cstring(severity)
    .text('C')
    .cstring(error.sqlstate)
    .text('M')
    .cstring(error.message);
  if (error.detail !== undefined) writer.text('D').cstring(error.detail);
  if (error.hint !== undefined) writer.text('H').cstring(error.hint);
  if (error.position !== undefined) writer.text('P').cstring(String(error.position));
  if (error.routine !== undefined) writer.text('R').cstring(error.routine);
  return writer.byte(0).finish(Backend.ErrorResponse);
}

/** A NoticeResponse. */
export function notice(text: string): Buffer {
  return new MessageWriter()
    .text('S')
    .cstring('NOTICE')
    .text('V')
    .cstring('NOTICE')
    .text('C')
    .cstring('00000')
    .text('M')
    .cstring(text)
    .byte(0)
    .finish(Backend.NoticeResponse);
}
