/** What the fuzzer has found, tried again; and a proof that it finds something where there is something to be found. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startThrowawayServer, type ThrowawayServer } from '../../scripts/corpus/server.ts';
import { isFrames, loadedFrames, savedCases } from '../../scripts/fuzz/case-file.ts';
import { settledSockets, socketsClosed, tryFrames } from '../../scripts/fuzz/frame-fuzz.ts';
import { startFuzzProxy, type FuzzProxy } from '../../scripts/fuzz/fuzz-proxy.ts';
import { fuzzStatements } from '../../scripts/fuzz/run-statements.ts';
import { StatementFuzz } from '../../scripts/fuzz/statement-fuzz.ts';
import { Tally } from '../../scripts/fuzz/tally.ts';

const cases = savedCases();

test('there are cases of both kinds', () => {
  expect(cases.filter(isFrames)).not.toEqual([]);
  expect(cases.filter((one) => !isFrames(one))).not.toEqual([]);
});

describe('statements', () => {
  let server: ThrowawayServer | undefined;
  let fuzz: StatementFuzz | undefined;
  beforeAll(async () => {
    server = await startThrowawayServer();
    fuzz = await StatementFuzz.start(server);
  });
  afterAll(async () => {
    await fuzz?.close();
    await server?.stop();
  });

  test.each(cases.flatMap((one) => (one.kind === 'statement' ? [[one.text, one.file]] : [])))(
    '%s (%s)',
    async (text) => {
      expect(await fuzz!.try(text)).not.toMatchObject({ kind: 'failure' });
    },
  );
});

describe('frames', () => {
  let proxy: FuzzProxy;
  beforeAll(async () => {
    proxy = await startFuzzProxy();
  });
  afterAll(() => proxy.stop());

  test.each(cases.filter(isFrames).map((one) => [one.file, one] as const))(
    '%s',
    async (_file, one) => {
      const before = await settledSockets();
      expect(await tryFrames(loadedFrames(one, proxy.key), proxy)).toBeUndefined();
      expect(await socketsClosed(before, 8_000)).toBe(true);
      expect(proxy.neighbourFaults()).toEqual([]);
    },
  );
});

test('with the first lock taken out, the fuzzer finds what only the second one stops', async () => {
  const server = await startThrowawayServer();
  const tally = new Tally();
  const found: string[] = [];
  let tried = 0;
  try {
    await fuzzStatements({
      ...{ server, seed: 1, tally, more: [], say: () => undefined },
      until: () => (tried += 1) > 400 || found.length > 5,
      decide: () => Promise.resolve({ kind: 'allowed', text: undefined }),
      save: (one) => String(found.push(one.reason)),
    });
  } finally {
    await server.stop();
  }
  expect(found.length).toBeGreaterThan(5);
});
