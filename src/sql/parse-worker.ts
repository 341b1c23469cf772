import { parentPort } from 'node:worker_threads';
import { HatiError } from '../errors.ts';
import { analyse, TooManyParts } from './analyse.ts';
import { loadParser } from './parse.ts';
import { refused, type WorkerReply } from './worker-protocol.ts';

/**
 * The worker thread: one text in, one reply out, finished classification and not the tree. It never answers after its
 * parser broke; the pool ends it then.
 */
const port = parentPort;
if (!port) throw new Error('parse-worker.ts runs as a worker thread');

await loadParser();
port.on('message', (text: string) => port.postMessage(replyTo(text)));
port.postMessage({ kind: 'ready' } satisfies WorkerReply);

function replyTo(text: string): WorkerReply {
  try {
    return { kind: 'classified', value: analyse(text) };
  } catch (error) {
    if (error instanceof TooManyParts) return { kind: 'tooComplex', reason: error.message };
    // Whatever is not ours (a stack overflow, a trap) says nothing that a client may read.
    return error instanceof HatiError ? refused(error) : { kind: 'broken' };
  }
}
