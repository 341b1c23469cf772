import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { Socket } from 'node:net';
import pg from 'pg';
import type { Hati } from './hati.ts';

/** The processes of a supervisor that serve clients of the proxy, as the system knows them; Linux only, as the embedded PostgreSQL of the tests. */
export function workersOf(supervisor: number): number[] {
  const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8');
  return children
    .split(' ')
    .filter(Boolean)
    .map(Number)
    .filter((pid) => /\/worker\.[jt]s\0proxy\0/.test(commandOf(pid).join('\0')));
}

function commandOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

export function isAlive(pid: number): boolean {
  return commandOf(pid).some(Boolean);
}

/** Which of these processes has the other end of a client's connection. */
export function ownerOf(client: pg.Client, workers: readonly number[]): number | undefined {
  const { stream } = (client as unknown as { connection: { stream: Socket } }).connection;
  const address = (port = 0): string =>
    `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const ends = `${address(stream.remotePort)} ${address(stream.localPort)} `;
  const row = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((line) => line.includes(ends));
  const inode = row?.trim().split(/\s+/)[9];
  return workers.find((pid) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`;
      } catch {
        // Closed while we looked.
        return false;
      }
    }),
  );
}

/** A connected client of the proxy that runs; without a key, the local administrator. */
export async function clientOf(hati: Hati, more: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: hati.record().address.port,
    user: 'agent',
    password: '',
    database: 'hatidata',
    ssl: false,
    ...more,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Resolves when `condition` holds; the test's own limit is the only one. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
