/** Several proxies on one control store, each of which may reach it through a relay of its own. */
import { loginUrl, startTestProxy, testConfig, type TestProxy } from '../fixtures/proxy.ts';
import { Relay } from '../fixtures/relay.ts';
import type { Config, Limits } from '../../src/config.ts';
import { scrape } from '../metrics/scrape.ts';

export const limits = (more: Partial<Limits>): Limits => ({ ...testConfig('').limits, ...more });

export interface Beside {
  readonly proxy: TestProxy;
  /** Its way to the control store. */
  readonly store: Relay;
  stop(): Promise<void>;
}

/** A proxy on the engine and the control store of the first one. */
export async function startBeside(first: TestProxy, more: Partial<Config> = {}): Promise<Beside> {
  const control = first.direct('control');
  const store = await Relay.start(`${control.host}/.s.PGSQL.${control.port}`);
  const { user, password, database } = control;
  const proxy = await startTestProxy({
    engine: {
      kind: 'url',
      url: loginUrl(first.direct('writer')),
      readerUrl: loginUrl(first.direct('reader')),
    },
    controlDatabaseUrl: `postgres://${user}:${String(password)}@${store.address}/${database}?sslmode=disable`,
    ...more,
  });
  return {
    proxy,
    store,
    stop: async () => {
      await proxy.stop();
      store.stop();
    },
  };
}

/** Of a metric: the sum over its labels, or over those with this one. */
export async function metric(proxy: TestProxy, name: string, label = ''): Promise<number> {
  return (await scrape(proxy)).sum(name, label);
}
