/**
 * How `hati restart` and `hati reload` talk with the supervisor: a unix socket that only its owner can reach. A command says
 * one line, `renew`, and hears one line of JSON when it is done. Two who ask at once each hear of a renewal that began after
 * they had asked, and who asks sees at once when the supervisor ends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { Renewal } from '../supervisor/supervisor.ts';

export type Reply = ({ readonly done: true } & Renewal) | { readonly done: false; reason: string };

export interface ControlChannel {
  readonly path: string;
  close(): void;
}

const request = 'renew\n';
/** The shortest limit of the systems that we run on, the final NUL not counted. */
const longestPath = 103;

/** @param directory closed to other users */
export async function openControlChannel(
  directory: string,
  renew: () => Promise<Renewal>,
): Promise<ControlChannel> {
  const near = join(directory, 'control.sock');
  const isNear = Buffer.byteLength(near) <= longestPath;
  const path = isNear ? near : join(mkdtempSync(join(tmpdir(), 'hati-')), 'control.sock');
  // One that a killed proxy left behind; whoever opens this has the claim on the directory.
  rmSync(path, { force: true });
  // A command closes its own side as soon as it has asked.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    // Whoever is connected does not keep the supervisor from ending.
    socket.unref();
    void answer(socket, renew);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(0o177);
    // The file is made before this returns.
    server.listen(path, resolve);
    process.umask(mask);
  });
  return {
    path,
    close: () => {
      server.close();
      rmSync(isNear ? path : dirname(path), { recursive: true, force: true });
    },
  };
}

/** @returns undefined when the supervisor ended before it had answered, or does not answer at all. */
export async function askToRenew(path: string): Promise<Reply | undefined> {
  const socket = connect(path);
  try {
    socket.end(request);
    return JSON.parse(await text(socket)) as Reply;
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

async function answer(socket: Socket, renew: () => Promise<Renewal>): Promise<void> {
  // Who has gone hears nothing; what he asked for happens all the same.
  socket.on('error', () => undefined);
  try {
    if ((await text(socket)) !== request) return;
    socket.end(JSON.stringify(await outcomeOf(renew())));
  } catch {
    socket.destroy();
  } finally {
    socket.end();
  }
}

async function outcomeOf(renewal: Promise<Renewal>): Promise<Reply> {
  try {
    return { done: true, ...(await renewal) };
  } catch (error) {
    return { done: false, reason: error instanceof Error ? error.message : String(error) };
  }
}
