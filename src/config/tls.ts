import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { readCertificate, type Certificate } from './certificate.ts';
import { settings } from './settings.ts';
import type { Sources } from './sources.ts';

export interface TlsFiles {
  readonly certPath: string;
  readonly keyPath: string;
  /** undefined: clients are not asked for one. */
  readonly clientCertificates?: ClientCertificates | undefined;
}

export interface ClientCertificates {
  /** Authorities whose certificates are good. */
  readonly caPath: string;
  /** `optional`: a client may come without one, and not with one that is bad. */
  readonly mode: 'optional' | 'required';
}

export function readTls(sources: Sources, base: string): TlsFiles | undefined {
  const certPath = sources.read(settings.tlsCertificate);
  const keyPath = sources.read(settings.tlsKey);
  const isEnabled =
    sources.read(settings.tlsEnabled) ?? (certPath !== undefined && keyPath !== undefined);
  const clientCertificates = readClientCertificates(sources, isEnabled, base);
  if (!isEnabled) return undefined;
  const tls = {
    certPath: resolve(base, certPath ?? settings.tlsCertificate.default),
    keyPath: resolve(base, keyPath ?? settings.tlsKey.default),
    clientCertificates,
  };
  for (const [setting, path] of [
    [settings.tlsCertificate, tls.certPath],
    [settings.tlsKey, tls.keyPath],
    [settings.tlsClientAuthorities, clientCertificates?.caPath],
  ] as const) {
    if (path !== undefined && !isReadable(path)) {
      sources.faults.push(
        `${sources.nameOf(setting)}: "${path}" is not a file that this user can read`,
      );
    }
  }
  return tls;
}

function readClientCertificates(
  sources: Sources,
  isEnabled: boolean,
  base: string,
): ClientCertificates | undefined {
  const caPath = sources.read(settings.tlsClientAuthorities);
  const mode =
    sources.read(settings.tlsClientCertificates) ?? (caPath === undefined ? 'off' : 'required');
  if (mode === 'off') return undefined;
  if (!isEnabled) {
    const setting =
      caPath === undefined ? settings.tlsClientCertificates : settings.tlsClientAuthorities;
    sources.faults.push(
      `${sources.nameOf(setting)}: clients show certificates over TLS only; set tls.cert_path and tls.key_path as well`,
    );
  }
  if (caPath === undefined) {
    sources.faults.push(
      `${sources.nameOf(settings.tlsClientCertificates)}: "${mode}" needs tls.client_ca_path, the authorities whose certificates are good`,
    );
    return undefined;
  }
  return { caPath: resolve(base, caPath), mode };
}

/** Files that can't be read have been reported by then. */
export function certificateOf(
  tls: TlsFiles | undefined,
  sources: Sources,
): Certificate | undefined {
  const caPath = tls?.clientCertificates?.caPath;
  if (tls === undefined || !isReadable(tls.certPath) || !isReadable(tls.keyPath)) return undefined;
  if (caPath !== undefined && !isReadable(caPath)) return undefined;
  try {
    return readCertificate(tls);
  } catch (error) {
    sources.faults.push(`${sources.nameOf(settings.tlsCertificate)}: ${(error as Error).message}`);
    return undefined;
  }
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
