import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** PEM, both of them. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** @throws with a sentence that says which file is wrong; what it returns can be served with. */
export function readCertificate({
  certPath,
  keyPath,
}: {
  readonly certPath: string;
  readonly keyPath: string;
}): Certificate {
  const certificate = { cert: readFileSync(certPath, 'utf8'), key: readFileSync(keyPath, 'utf8') };
  try {
    createSecureContext({ cert: certificate.cert });
  } catch (error) {
    throw new Error(`"${certPath}" is not a certificate in PEM`, { cause: error });
  }
  try {
    createSecureContext({ key: certificate.key });
  } catch (error) {
    throw new Error(`"${keyPath}" is not a private key in PEM without a passphrase`, {
      cause: error,
    });
  }
  try {
    createSecureContext(certificate);
  } catch (error) {
    throw new Error(`the key "${keyPath}" does not belong to the certificate "${certPath}"`, {
      cause: error,
    });
  }
  return certificate;
}
