import { describe, expect, test } from 'vitest';
import { ResponseQueue } from '../../src/proxy/response-queue.ts';
import { Backend } from '../../src/wire/protocol.ts';

describe('ResponseQueue', () => {
  test('a copy whose end was sent ahead does not take away the Sync behind it', () => {
    const queue = new ResponseQueue();
    for (const each of ['execute', 'sync', 'sync'] as const) queue.push(each);
    queue.copyEnded();
    for (const each of ['sync', 'parse', 'sync'] as const) queue.push(each);
    queue.onHeader(Backend.CopyInResponse);
    queue.onHeader(Backend.CommandComplete);
    expect(queue.isEmpty).toBe(false);
    queue.onReady();
    queue.onHeader(Backend.ParseComplete);
    expect(queue.isEmpty).toBe(false);
    queue.onReady();
    expect(queue.isEmpty).toBe(true);
  });

  test('CopyDone without a copy is nothing', () => {
    const queue = new ResponseQueue();
    queue.copyEnded();
    expect(queue.isEmpty).toBe(true);
    for (const each of ['execute', 'sync'] as const) queue.push(each);
    queue.copyEnded();
    queue.onHeader(Backend.CommandComplete);
    queue.onReady();
    expect(queue.isEmpty).toBe(true);
  });

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

  test('Sync does not count while the engine copies in', () => {
    const queue = new ResponseQueue();
    queue.push('execute');
    queue.push('sync');
    queue.onHeader(Backend.CopyInResponse);
    queue.push('sync');
    queue.copyEnded();
    queue.push('sync');
    queue.onHeader(Backend.CommandComplete);
    queue.onReady();
    expect(queue.isEmpty).toBe(true);
  });
});
