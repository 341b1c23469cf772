/**
 * Adds to package-lock.json the platform packages that npm left out of it.
 *
 * npm writes an optional dependency into the lock only where the registry can tell it about that package; a mirror that
 * lacks some platforms leaves holes, and `npm ci` then refuses the lock on every machine. Run this after
 * `npm install` on such a machine: `npm run complete-lock`. What is added has no integrity hash, because there is
 * nobody to ask for it; npm fills it in on a machine whose registry has the package.
 */
import { readFileSync, writeFileSync } from 'node:fs';

interface LockedPackage {
  readonly version?: string;
  readonly dev?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const systems = new Set([
  'aix',
  'android',
  'darwin',
  'freebsd',
  'linux',
  'netbsd',
  'openbsd',
  'openharmony',
  'sunos',
  'win32',
  'windows',
]);
const processors = new Set([
  'arm',
  'arm64',
  'ia32',
  'loong64',
  'mips64el',
  'ppc64',
  'riscv64',
  's390x',
  'wasm32',
  'x64',
]);

const path = 'package-lock.json';
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, LockedPackage> };
const missing: Record<string, LockedPackage> = {};
for (const [parent, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const places = [`${parent}/node_modules/${name}`, `node_modules/${name}`];
    if (parent !== '' && !places.some((place) => place in lock.packages)) {
      missing[`node_modules/${name}`] = {
        ...describe(name, version),
        ...(entry.dev && { dev: true }),
      };
    }
  }
}
const { '': root, ...packages } = lock.packages;
const sorted = Object.entries({ ...packages, ...missing }).toSorted(([a], [b]) => (a < b ? -1 : 1));
writeFileSync(
  path,
  `${JSON.stringify({ ...lock, packages: { '': root, ...Object.fromEntries(sorted) } }, null, 2)}\n`,
);
process.stdout.write(`${Object.keys(missing).length} entries added to ${path}\n`);

/** What a platform package's name says of it: `@oxlint/binding-linux-x64-musl`. */
function describe(name: string, version: string): LockedPackage & Record<string, unknown> {
  const words = name.split('/').at(-1)!.split('-');
  const system = words.find((word) => systems.has(word));
  const processor = words.find((word) => processors.has(word));
  if (processor === undefined || !/^\d[\w.+-]*$/.test(version)) {
    throw new Error(`${name}@${version} is missing from ${path}, and its name names no platform`);
  }
  const libc = words.some((word) => word.startsWith('musl')) ? 'musl' : 'glibc';
  return {
    version,
    cpu: [processor],
    ...(system === 'linux' && words.some((word) => /^(musl|gnu)/.test(word)) && { libc: [libc] }),
    optional: true,
    ...(system !== undefined && { os: [system === 'windows' ? 'win32' : system] }),
  };
}
