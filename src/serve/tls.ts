import { constants } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { Config } from '../config.ts';
import type { Certificate } from '../config/certificate.ts';
import type { ListenerTls } from '../proxy/client-certificate.ts';

/** Undefined where TLS is not served. */
export function listenerTls(
  { tls }: Config,
  certificate: Certificate | undefined,
): ListenerTls | undefined {
  if (certificate === undefined) return undefined;
  const { cert, key, clientAuthorities } = certificate;
  return {
    context: createSecureContext({
      cert,
      key,
      minVersion: 'TLSv1.2',
      ...(clientAuthorities !== undefined && {
        ca: clientAuthorities,
        // Each connection shows its certificate anew: one that has ended must not live on in a resumed session.
        sessionIdContext: 'hatidata',
        secureOptions: constants.SSL_OP_NO_TICKET,
      }),
    }),
    clientCertificates: tls?.clientCertificates?.mode,
  };
}
