#!/usr/bin/env node
// Plain enough for any Node to read, so that one that is too old gets a sentence and not a syntax error.
import { spawn } from 'child_process';
import { existsSync } from 'fs';
import nodeModule from 'module';
import { dirname, join } from 'path';
import { fileURLToPath, pathToFileURL } from 'url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
// A clone runs its sources; the published package has only what was built from them.
const source = join(root, 'src', 'main.ts');
const isClone = existsSync(source);
const main = isClone ? source : join(root, 'dist', 'main.js');

if (canRun(process.versions.node)) {
  keepCompiled();
  import(pathToFileURL(main).href).catch(function (error) {
    console.error(error);
    process.exitCode = 1;
  });
} else {
  const pinned = [
    join(root, 'node_modules', 'node', 'bin', 'node'),
    join(root, '..', 'node', 'bin', 'node'),
  ].find(existsSync);
  if (pinned === undefined) {
    console.error(
      'hati needs Node.js 22.12 or newer (sources: 22.18); this is ' +
        process.versions.node +
        ' at ' +
        process.execPath +
        '. Install a newer one from https://nodejs.org.',
    );
    process.exitCode = 1;
  } else {
    runWith(pinned);
  }
}

/**
 * Compiling is half of a start, of the proxy's and of each of its workers'. What was compiled is kept beside the packages, where
 * whoever may write could change the code itself; in a temporary directory anybody could lay something ready.
 */
function keepCompiled() {
  if (!process.env.NODE_COMPILE_CACHE) {
    process.env.NODE_COMPILE_CACHE = join(root, 'node_modules', '.cache', 'hatidata');
  }
  // A directory that can't be written is no fault.
  nodeModule.enableCompileCache(process.env.NODE_COMPILE_CACHE);
}

function canRun(version) {
  const parts = version.split('.').map(Number);
  // Running TypeScript as it is came with 22.18 and 23.6.
  const minor = isClone ? (parts[0] === 23 ? 6 : 18) : 12;
  return parts[0] > 23 || (parts[0] >= 22 && parts[1] >= (parts[0] === 23 && !isClone ? 0 : minor));
}

/** Stands in for the other Node: same streams, same signals, same end. */
function runWith(node) {
  const child = spawn(node, [main].concat(process.argv.slice(2)), { stdio: 'inherit' });
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'];
  signals.forEach(function (signal) {
    process.on(signal, function () {
      child.kill(signal);
    });
  });
  child.on('error', function (error) {
    console.error('hati: ' + node + ' cannot be run: ' + error.message);
    process.exitCode = 1;
  });
  child.on('exit', function (code, signal) {
    if (signal === null) {
      process.exitCode = code;
      return;
    }
    signals.forEach(function (name) {
      process.removeAllListeners(name);
    });
    process.kill(process.pid, signal);
  });
}
