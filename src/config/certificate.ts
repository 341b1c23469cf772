import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';

/** PEM, all of them. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
  /** Whose signature makes a client's certificate good; undefined where none is asked for. */
  readonly clientAuthorities?: string;
}

/** @throws with a sentence that says which file is wrong; what it returns can be served with. */
export function readCertificate({
  certPath,
  keyPath,
  clientCertificates,
}: {
  readonly certPath: string;
  readonly keyPath: string;
  readonly clientCertificates?: { readonly caPath: string } | undefined;
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
  if (clientCertificates === undefined) return certificate;
  return { ...certificate, clientAuthorities: readAuthorities(clientCertificates.caPath) };
}

function readAuthorities(path: string): string {
  const authorities = readFileSync(path, 'utf8');
  try {
    // Node takes a file without any, and then nobody's certificate would do.
    void new X509Certificate(authorities);
  } catch (cause) {
    throw new Error(`"${path}" holds no certificate in PEM`, { cause });
  }
  return authorities;
}
