/** Where the proxy has TLS, its control plane has it too. */
import { readFileSync } from 'node:fs';
import { get } from 'node:https';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestControlPlane, type TestControlPlane } from '../fixtures/control-plane.ts';

const path = (name: string): string =>
  fileURLToPath(new URL(`../../fixtures/tls/test-only.${name}.pem`, import.meta.url));

let plane: TestControlPlane;

beforeAll(async () => {
  plane = await startTestControlPlane({
    tls: { certPath: path('cert'), keyPath: path('key'), clientCertificates: undefined },
  });
});
afterAll(() => plane.stop());

test('requests are answered over HTTPS, with the certificate of the proxy', async () => {
  const url = `${plane.base.replace('http:', 'https:')}/health`;
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = { ca: readFileSync(path('cert')), checkServerIdentity: () => undefined };
    get(url, options, (response) => resolve(response.resume().statusCode)).once('error', reject);
  });
  expect(status).toBe(200);
});

test('and not without', async () => {
  await expect(fetch(`${plane.base}/health`)).rejects.toThrow('fetch failed');
});
