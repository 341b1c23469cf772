import { constants, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { ClientCertificates, Config } from '../config.ts';
import type { ListenerTls } from '../proxy/client-certificate.ts';

/** From the files that the configuration names; undefined where TLS is not served. */
export function listenerTls({ tls }: Config): ListenerTls | undefined {
  if (tls === undefined) return undefined;
  const { certPath, keyPath, clientCertificates } = tls;
  return {
    context: createSecureContext({
      cert: readFileSync(certPath),
      key: readFileSync(keyPath),
      minVersion: 'TLSv1.2',
      ...(clientCertificates !== undefined && askingFor(clientCertificates)),
    }),
    clientCertificates: clientCertificates?.mode,
  };
}

function askingFor({ caPath }: ClientCertificates): Parameters<typeof createSecureContext>[0] {
  const ca = readFileSync(caPath);
  try {
    // Node takes a file without any, and then nobody's certificate would do.
    void new X509Certificate(ca);
  } catch (cause) {
    throw new Error(`tls.client_ca_path: "${caPath}" holds no certificate in PEM`, { cause });
  }
  return {
    ca,
    // Each connection shows its certificate anew: one that has ended must not live on in a resumed session.
    sessionIdContext: 'hatidata',
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
