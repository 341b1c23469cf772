import { maxHeaderSize, STATUS_CODES, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { envelopeOf } from '../../api/envelope.ts';
import { HatiError } from '../../errors.ts';
import { newId } from '../../shared/ids.ts';

/** As Node's `clientError` has it. */
export interface ParseFault extends Error {
  readonly code?: string;
  /** The parser's own words, with nothing of what came. */
  readonly reason?: string;
}

/** Answers what is no request: nothing that answers requests ever sees it. The connection ends with it, as where the next one begins is not known. */
export function answerMalformed(
  socket: Duplex,
  error: ParseFault,
  { seconds, now }: { readonly seconds: number; readonly now: Date },
): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const fault = faultOf(error, seconds);
  const requestId = newId('req_');
  const body = JSON.stringify(envelopeOf(fault, requestId, now));
  socket.end(
    [
      `HTTP/1.1 ${fault.http} ${STATUS_CODES[fault.http]}`,
      'content-type: application/json; charset=utf-8',
      `content-length: ${Buffer.byteLength(body)}`,
      `x-request-id: ${requestId}`,
      'cache-control: no-store',
      'x-content-type-options: nosniff',
      'connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}

/** RFC 9112, 3.2. */
export function refuseWithoutHost({ httpVersion, headers }: IncomingMessage): void {
  if (httpVersion === '1.1' && headers.host === undefined)
    throw new HatiError('request_malformed', { params: { reason: 'Missing Host header' } });
}

function faultOf({ code, reason }: ParseFault, seconds: number): HatiError {
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return new HatiError('headers_too_long', { params: { limit: maxHeaderSize } });
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new HatiError('request_timeout', { params: { seconds } });
    default:
      return new HatiError('request_malformed', { params: { reason: reason ?? code ?? 'unread' } });
  }
}
