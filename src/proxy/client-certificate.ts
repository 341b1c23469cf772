import type { SecureContext, TLSSocket } from 'node:tls';
import type { ClientCertificates } from '../config/tls.ts';
import { HatiError } from '../errors.ts';

/** How the listener speaks TLS. */
export interface ListenerTls {
  readonly context: SecureContext;
  /** Whether clients are asked for a certificate, which stands beside the key and never in its place; undefined: they are not. */
  readonly clientCertificates: ClientCertificates['mode'] | undefined;
}

/** What a client showed in the handshake. */
export interface ClientCertificate {
  readonly subject: string;
  /** Why it proves nothing. */
  readonly fault: string | undefined;
}

const longestSubject = 200;

export function certificateOf(secure: TLSSocket): ClientCertificate | undefined {
  const shown = secure.getPeerX509Certificate();
  if (shown === undefined) return undefined;
  const subject = shown.subject.replaceAll('\n', ', ').slice(0, longestSubject);
  return { subject, fault: faultOf(secure) };
}

/**
 * The handshake is let through whatever the certificate (`rejectUnauthorized: false`), so that a client is told in words that he
 * can read what is wrong; a TLS alert says next to nothing.
 * Throws what refuses the client.
 */
export function checkCertificate(
  mode: ListenerTls['clientCertificates'],
  certificate: ClientCertificate | undefined,
): void {
  if (mode === undefined) return;
  if (certificate === undefined) {
    if (mode === 'required') throw new HatiError('client_certificate_missing');
    return;
  }
  const { fault: reason, subject } = certificate;
  if (reason !== undefined)
    throw new HatiError('client_certificate_invalid', { params: { reason }, cause: subject });
}

interface Verifying {
  readonly ssl?: { verifyError?(): Error | null | undefined } | null;
}

/**
 * Node has OpenSSL check the certificate against the context's authorities and keeps the result; it puts it into `authorized` for
 * sockets of a `tls.Server` only, which ours can't be, because they begin as plain ones.
 */
function faultOf(secure: TLSSocket): string | undefined {
  const { ssl } = secure as Verifying;
  if (typeof ssl?.verifyError !== 'function') return 'it could not be checked';
  const error = ssl.verifyError();
  // Behind the semicolon Node gives advice for whoever runs it.
  return error instanceof Error ? error.message.split(';')[0] : undefined;
}
