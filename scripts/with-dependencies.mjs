/**
 * with-dependencies.mjs <script> [arguments]: makes sure that what package-lock.json names is installed, then runs the
 * script with the Node that is pinned in it. This file itself runs on whatever Node a fresh clone meets.
 */
import { spawn, spawnSync } from 'child_process';
import { existsSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'fs';
import { dirname, join } from 'path';
import { fileURLToPath } from 'url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, 'node_modules');
const node = join(modules, 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
const lock = join(root, '.install-lock');

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  fail('usage: node scripts/with-dependencies.mjs <script> [arguments]');
}
if (!isInstalled()) {
  await withLock(() => {
    // Whoever held the lock before us may have done it.
    if (!isInstalled()) install();
  });
}
run();

/** Whether node_modules holds exactly the packages of the lockfile: npm writes its own record last of all. */
function isInstalled() {
  const wanted = readJson(join(root, 'package-lock.json'));
  const present = readJson(join(modules, '.package-lock.json'));
  if (wanted === undefined) fail('package-lock.json is missing; this is not a complete clone.');
  if (present === undefined) return false;
  const same = Object.entries(wanted.packages).every(([path, entry]) => {
    if (path === '') return true;
    const other = present.packages[path];
    // Optional packages are those of other platforms.
    if (other === undefined) return entry.optional === true;
    return other.version === entry.version && other.integrity === entry.integrity;
  });
  return same && existsSync(node);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

function install() {
  console.error('Installing dependencies (npm ci); this is done once and takes about a minute …');
  npm(['ci', '--no-audit', '--no-fund', '--loglevel=error']);
  if (nodeVersion() !== undefined) return;
  // The pinned Node and the PostgreSQL binaries are put in place by install scripts, which npm may be told to skip.
  console.error('Running the install scripts of the pinned Node and of PostgreSQL (npm rebuild) …');
  npm(['rebuild', '--ignore-scripts=false', '--foreground-scripts', '--loglevel=error']);
  if (nodeVersion() === undefined) {
    fail(
      `The pinned Node does not run (${node}). ` +
        'npm is configured to skip install scripts (npm config get ignore-scripts), or this platform has no binary of it.',
    );
  }
}

function npm(npmArguments) {
  const cli = process.env.npm_execpath;
  const isScript = cli !== undefined && /npm-cli\.c?js$/.test(cli);
  const [command, first] = isScript ? [process.execPath, [cli]] : ['npm', []];
  const { status, error } = spawnSync(command, [...first, ...npmArguments], {
    cwd: root,
    // Standard output belongs to the script that is about to run.
    stdio: ['ignore', 2, 2],
    shell: !isScript && process.platform === 'win32',
  });
  if (error !== undefined) fail(`npm cannot be run: ${error.message}`);
  if (status !== 0) fail(`npm ${npmArguments[0]} failed; what it says above names the reason.`);
}

function nodeVersion() {
  const { status, stdout } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

/** Two at once (quickstart in one terminal, tests in another) must not write into one node_modules. */
async function withLock(work) {
  let hasWaited = false;
  while (!claimLock()) {
    if (!hasWaited) console.error('Another process is installing dependencies; waiting for it …');
    hasWaited = true;
    await new Promise((resolve) => {
      setTimeout(resolve, 200);
    });
  }
  const release = () => rmSync(lock, { force: true });
  process.once('exit', release);
  work();
  process.removeListener('exit', release);
  release();
}

function claimLock() {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST')
      fail(`${root} cannot be written to (${error.code}), so nothing can be installed.`);
  }
  if (isLockAbandoned()) {
    // Moved away first: of several that find it abandoned, only one succeeds.
    const aside = `${lock}.${process.pid}`;
    try {
      renameSync(lock, aside);
      rmSync(aside, { force: true });
    } catch {
      // Another one was faster.
    }
  }
  return false;
}

function isLockAbandoned() {
  try {
    const pid = Number(readFileSync(lock, 'utf8'));
    // Not written yet, unless it has stayed so.
    if (pid === 0) return Date.now() - statSync(lock).mtimeMs > 10_000;
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

function run() {
  const child = spawn(node, [join(root, script), ...args], { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  for (const signal of signals) process.on(signal, () => child.kill(signal));
  child.once('error', (error) => fail(`${node} cannot be run: ${error.message}`));
  child.once('exit', (code, signal) => {
    if (signal === null) process.exit(code);
    // Ends the way the child did, for whoever asks.
    for (const name of signals) process.removeAllListeners(name);
    process.kill(process.pid, signal);
  });
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
