import type { Socket } from 'node:net';
import type { ClientReader } from './client-reader.ts';
import type { EngineAnswers } from './engine-answers.ts';
import type { LinkWait } from './link-wait.ts';
import type { ResponseQueue } from './response-queue.ts';
import type { Doing } from './session-clock.ts';

export interface Activity {
  readonly client: Socket;
  readonly owed: ResponseQueue;
  readonly request: LinkWait;
  readonly reader: ClientReader;
  readonly answers: EngineAnswers;
}

/** @returns what a session is doing, of which its limits of time are told. */
export function doing(of: Activity): Doing {
  const { owed, answers, reader } = of;
  const isOpen = answers.status !== 'idle' || owed.isUnsynced;
  return {
    phase: phase(of, isOpen),
    progress: owed.isEmpty ? reader.taken : owed.progress,
    transaction: isOpen || !owed.isEmpty ? answers.transactionsOver : undefined,
  };
}

function phase({ request, owed, reader, client }: Activity, isOpen: boolean): Doing['phase'] {
  if (request.isWaiting) return 'waiting';
  if (!owed.isEmpty) return 'atWork';
  // A client that does not read keeps us busy by itself.
  if (reader.isBusy && !client.writableNeedDrain) return 'waiting';
  return isOpen ? 'idleInTransaction' : 'idle';
}
