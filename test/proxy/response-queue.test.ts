import { describe, expect, test } from 'vitest';
import { ResponseQueue } from '../../src/proxy/response-queue.ts';
import { Backend } from '../../src/wire/protocol.ts';

describe('ResponseQueue', () => {
  test('each answer completes the message it belongs to', async () => {
    const queue = new ResponseQueue();
    for (const each of ['parse', 'bind', 'describe', 'execute', 'sync'] as const) queue.push(each);
    const drained = queue.drained();
    queue.onHeader(Backend.ParseComplete);
    queue.onHeader(Backend.BindComplete);
    queue.onHeader(Backend.RowDescription);
    queue.onHeader(Backend.CommandComplete);
    expect(queue.isEmpty).toBe(false);
    queue.onReady();
    expect(queue.isEmpty).toBe(true);
    await drained;
  });

  test('the parts of a simple query complete nothing before its end', () => {
    const queue = new ResponseQueue();
    queue.push('query');
    for (const type of [Backend.RowDescription, Backend.CommandComplete, Backend.CommandComplete]) {
      queue.onHeader(type);
    }
    expect(queue.onError()).toBeUndefined();
    expect(queue.isEmpty).toBe(false);
    queue.onReady();
    expect(queue.isEmpty).toBe(true);
  });

  test('an error discards what is owed up to the next Sync', () => {
    const queue = new ResponseQueue();
    for (const each of ['parse', 'bind', 'execute', 'sync', 'parse', 'sync'] as const)
      queue.push(each);
    queue.onError();
    expect(queue.isSkipping).toBe(false);
    queue.onReady();
    queue.onHeader(Backend.ParseComplete);
    queue.onReady();
    expect(queue.isEmpty).toBe(true);
  });

  test('an error before any Sync skips until one comes', () => {
    const queue = new ResponseQueue();
    queue.push('parse');
    queue.onError();
    expect(queue.isSkipping).toBe(true);
    queue.push('bind');
    queue.push('query');
    expect(queue.isEmpty).toBe(true);
    queue.push('sync');
    expect(queue.isSkipping).toBe(false);
    expect(queue.isEmpty).toBe(false);
  });

  test('what has run is what the engine says, of the message at the head', () => {
    const queue = new ResponseQueue();
    const seen: (readonly string[])[] = [];
    const settle = (_: boolean, { tags }: { readonly tags: readonly string[] }): void => {
      seen.push(tags);
    };
    const tag = (text: string): void =>
      void queue.onHeader(Backend.CommandComplete, Buffer.from(`${text}\0`));
    queue.push('execute');
    expect(queue.isThorough).toBe(false);
    queue.push({ of: 'execute', settle });
    queue.push({ of: 'execute', settle });
    queue.push({ of: 'query', settle });
    expect(queue.isThorough).toBe(true);
    tag('DISCARD ALL');
    tag('SELECT 1');
    queue.onHeader(Backend.PortalSuspended);
    tag('PREPARE');
    tag('DEALLOCATE');
    queue.onError();
    queue.onReady();
    expect(seen).toEqual([['SELECT 1'], [], ['PREPARE', 'DEALLOCATE']]);
    expect(queue.isThorough).toBe(false);
  });

  test('a refusal takes the place of its own error and of no other', () => {
    const refusal = Buffer.from('refused');
    const queue = new ResponseQueue();
    queue.push({ of: 'message', response: refusal });
    queue.push('sync');
    expect(queue.onError()).toBe(refusal);
    queue.onReady();

    queue.push('parse');
    queue.push({ of: 'message', response: refusal });
    queue.push('sync');
    expect(queue.onError()).toBeUndefined();
    queue.onReady();
    expect(queue.isEmpty).toBe(true);
  });

  test('it becomes known whether a copy begins: by its beginning, an error, or the end', async () => {
    for (const known of [
      (queue: ResponseQueue) => queue.onHeader(Backend.CopyInResponse),
      (queue: ResponseQueue) => queue.onError(),
      (queue: ResponseQueue) => queue.onHeader(Backend.CommandComplete),
    ]) {
      const queue = new ResponseQueue();
      queue.push('execute');
      let isKnown = false;
      const waiting = queue.copyKnown().then(() => (isKnown = true));
      await Promise.resolve();
      expect(isKnown).toBe(false);
      known(queue);
      await waiting;
    }
  });

  test('a ReadyForQuery that nobody waits for is a fault', () => {
    const queue = new ResponseQueue();
    expect(() => queue.onReady()).toThrow('none was due');
    queue.push('parse');
    expect(() => queue.onReady()).toThrow('none was due');
  });
});
