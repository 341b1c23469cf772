import { startTestProxy, testConfig, type TestProxy } from '../../test/fixtures/proxy.ts';
import { frontend as f, RawClient, show, columns } from '../../test/fixtures/raw-client.ts';
import pgm from '../../node_modules/pg/lib/index.js';
export const pg: any = pgm;
export { f, RawClient, show, columns, testConfig };
export type { TestProxy };
export const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms));
export async function boot(more: any = {}, rest: any = {}): Promise<TestProxy> {
  return startTestProxy({
    pool: { ...testConfig('').pool, readers: 1, writers: 1, ...more },
    ...rest,
  });
}
export async function ask(raw: any, ...messages: Buffer[]): Promise<string[]> {
  raw.send(...messages);
  return timed(raw.untilReady().then(show));
}
export async function timed<T>(p: Promise<T>, ms = 4000): Promise<T | any> {
  let t: any;
  const r = await Promise.race([
    p.catch((e: any) => 'ERR ' + e.message),
    new Promise((res) => {
      t = setTimeout(() => res('HANG'), ms);
    }),
  ]);
  clearTimeout(t);
  return r as any;
}
export const q = (raw: any, text: string) => ask(raw, f.query(text));
export const log = (...a: any[]) => console.log(...a);
export async function run(name: string, p: TestProxy, fn: () => Promise<void>) {
  log('===', name);
  try {
    await Promise.race([
      fn(),
      sleep(40000).then(() => {
        throw new Error('probe timeout');
      }),
    ]);
  } catch (e: any) {
    log('PROBE ERROR', e.message, e.stack?.split('\n')[1]);
  }
}
