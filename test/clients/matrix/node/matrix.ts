/** Runs one driver's features against both targets and prints a report for each. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Report, Target } from '../../../../scripts/compatibility/report.ts';

/** Thrown where a driver has no such thing; the message says what is missing. */
export class Unsupported extends Error {}

export interface Fault {
  readonly severity: string | undefined;
  readonly sqlstate: string | undefined;
  readonly message: string;
  readonly detail: string | undefined;
  readonly table: string | undefined;
  readonly constraint: string | undefined;
  readonly position: string | undefined;
}

/** What every driver can do: the features in `common.ts` need no more. One connection, one statement at a time. */
export interface Client {
  /** Rows as arrays. Parameters are `$1`… */
  query(sql: string, parameters?: readonly unknown[]): Promise<unknown[][]>;
  end(): Promise<void>;
  /** Ends the socket without a word to the server. */
  destroy(): void;
}

export interface Address {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** One driver at one target. Clients that a feature leaves open are ended after it. */
export interface Bench {
  readonly address: Address;
  client(): Promise<Client>;
  readonly faultOf: (error: unknown) => Fault;
}

/** What was seen: anything that JSON can say. It must be the same for both targets. */
export type FeatureRun<B extends Bench> = (bench: B) => Promise<unknown>;

export interface Driver<B extends Bench> {
  readonly name: string;
  /** Of the npm package. */
  readonly package: string;
  readonly features: Readonly<Record<string, FeatureRun<B>>>;
  bench(address: Address): B & { close(): Promise<void> };
}

const featureSeconds = 30;

export async function runDriver<B extends Bench>(driver: Driver<B>): Promise<void> {
  const version = versionOf(driver.package);
  for (const [feature, run] of Object.entries(driver.features)) {
    for (const target of ['direct', 'proxy'] as const) {
      const { result, detail } = await runOnce(driver, target, run);
      const report: Report = { driver: driver.name, version, target, feature, result, detail };
      process.stdout.write(`${JSON.stringify(report)}\n`);
    }
  }
}

async function runOnce<B extends Bench>(
  driver: Driver<B>,
  target: Target,
  run: FeatureRun<B>,
): Promise<Pick<Report, 'result' | 'detail'>> {
  const bench = driver.bench(addressOf(target));
  const late = Promise.withResolvers<never>();
  const deadline = setTimeout(
    () => late.reject(new Error(`nothing for ${featureSeconds} s`)),
    featureSeconds * 1000,
  );
  try {
    const seen = await Promise.race([run(bench), late.promise]);
    return { result: 'ok', detail: JSON.stringify(seen) ?? '' };
  } catch (error) {
    if (error instanceof Unsupported) return { result: 'unsupported', detail: error.message };
    const { sqlstate, message } = bench.faultOf(error);
    return { result: 'fail', detail: `${sqlstate ?? 'error'} ${message}` };
  } finally {
    clearTimeout(deadline);
    await bench.close();
  }
}

function addressOf(target: Target): Address {
  const url = new URL(process.env[`HATI_MATRIX_${target.toUpperCase()}`]!);
  return {
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    password: url.password,
    database: url.pathname.slice(1),
  };
}

function versionOf(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name);
  const root = entry.slice(0, entry.lastIndexOf(`/node_modules/${name}/`));
  const manifest = readFileSync(`${root}/node_modules/${name}/package.json`, 'utf8');
  return (JSON.parse(manifest) as { version: string }).version;
}
