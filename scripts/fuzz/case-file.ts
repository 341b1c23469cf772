/** Found cases: what failed once is tried again by test/scripts/fuzz-cases.test.ts, for ever. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { frameKinds, type FrameCase, type FrameKind } from './frame-fuzz.ts';

export type FoundCase =
  | { readonly kind: 'statement'; readonly reason: string; readonly text: string }
  | {
      readonly kind: FrameKind;
      readonly reason: string;
      /** As Latin-1; the key is `keyPlace`, which has as many. */
      readonly bytes: string;
      /** Lengths of the pieces that the bytes are in. */
      readonly frames: readonly number[];
      readonly chunks: readonly number[];
    };

type SavedFrames = Exclude<FoundCase, { kind: 'statement' }>;

const directory = fileURLToPath(new URL('../../test/fixtures/fuzz/cases/', import.meta.url));

/** @returns the file's path. */
export function saveCase(found: FoundCase): string {
  const text = `${JSON.stringify(found, undefined, 2)}\n`;
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 8);
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${found.kind}-${digest}.json`);
  writeFileSync(path, text);
  return path;
}

export function savedCases(): readonly (FoundCase & { readonly file: string })[] {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .map((file) => ({
      ...(JSON.parse(readFileSync(join(directory, file), 'utf8')) as FoundCase),
      file,
    }));
}

/** A key is of the proxy's that it was made by, so a saved case has none. */
const keyPlace = (key: string): string => `<${'key'.padEnd(key.length - 2, '_')}>`;

export function savedFrames(one: FrameCase, reason: string, key: string): FoundCase {
  const bytes = Buffer.concat(one.frames).toString('latin1').replaceAll(key, keyPlace(key));
  const lengths = (pieces: readonly Buffer[]): number[] => pieces.map(({ length }) => length);
  const { kind, frames, chunks } = one;
  return { kind, reason, bytes, frames: lengths(frames), chunks: lengths(chunks) };
}

export function loadedFrames(saved: SavedFrames, key: string): FrameCase {
  const bytes = Buffer.from(saved.bytes.replaceAll(keyPlace(key), key), 'latin1');
  return {
    kind: saved.kind,
    frames: pieces(bytes, saved.frames),
    chunks: pieces(bytes, saved.chunks),
  };
}

function pieces(bytes: Buffer, lengths: readonly number[]): readonly Buffer[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return bytes.subarray(at - length, at);
  });
}

export function isFrames<T extends FoundCase>(found: T): found is T & SavedFrames {
  const kinds: readonly string[] = frameKinds;
  return kinds.includes(found.kind);
}
