/** What a proxy tells of itself and serves beside the wire protocol. */
import type { Config } from '../config.ts';
import { settings } from './settings.ts';
import type { Sources } from './sources.ts';

export function readTracing(sources: Sources): Config['tracing'] {
  const endpoint = sources.read(settings.tracingEndpoint);
  const samplePercent = sources.read(settings.tracingSamplePercent) ?? 100;
  return endpoint === undefined ? undefined : { endpoint, samplePercent };
}

export function readMetrics(sources: Sources, listen: Config['listen']): Config['metrics'] {
  const metrics = sources.read(settings.metricsListen) ?? { host: 'localhost', port: 9090 };
  if (!(sources.read(settings.metricsEnabled) ?? true)) return undefined;
  if (metrics.port !== 0 && metrics.port === listen.port) {
    sources.faults.push(
      `${sources.nameOf(settings.metricsListen)}: port ${metrics.port} is where clients connect (${settings.listen.key}); choose another`,
    );
  }
  return metrics;
}

export function readApi(
  sources: Sources,
  listen: Config['listen'],
  tls: Config['tls'],
): Config['api'] {
  const api = sources.read(settings.apiListen) ?? { host: 'localhost', port: 8080 };
  const trustedProxies = sources.read(settings.apiTrustedProxies) ?? [];
  const webhookPrivateTargets = sources.read(settings.apiWebhookPrivateTargets) ?? false;
  if (!(sources.read(settings.apiEnabled) ?? true)) return undefined;
  if (api.port !== 0 && api.port === listen.port) {
    sources.faults.push(
      `${sources.nameOf(settings.apiListen)}: port ${api.port} is where clients connect (${settings.listen.key}); choose another`,
    );
  }
  const { host, port } = api;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  const scheme = tls === undefined ? 'http' : 'https';
  const publicUrl = sources.read(settings.apiPublicUrl) ?? `${scheme}://${shownHost}:${port}`;
  return {
    ...api,
    trustedProxies,
    publicUrl: publicUrl.replace(/\/+$/, ''),
    engineUrls: sources.read(settings.apiEngineUrls) ?? false,
    webhookPrivateTargets,
    ssoPrivateIssuers: sources.read(settings.apiSsoPrivateIssuers) ?? false,
    signup: sources.read(settings.apiSignup) ?? false,
  };
}

/** Passwords and keys travel over the API as well. */
export function checkApiExposure({ tls, allowCleartext, api }: Config, sources: Sources): void {
  if (tls !== undefined || allowCleartext) return;
  sources.faults.push(
    `${sources.nameOf(settings.apiListen)}: "${api!.host}" can be reached from other machines, which would send passwords and keys unencrypted; ` +
      'set tls.cert_path and tls.key_path, or tls.allow_cleartext = true where something in front of it has TLS',
  );
}
