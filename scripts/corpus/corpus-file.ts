import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';

/** The statements of one file, in the order in which they build up its state. */
export interface CorpusFile {
  readonly file: string;
  readonly statements: readonly string[];
}

/** `[{file, statements[]}]` as JSON, plain or gzipped. Throws when it is anything else. */
export async function readCorpus(path: string): Promise<readonly CorpusFile[]> {
  return corpusOf(await readFile(path));
}

export function corpusOf(bytes: Buffer): readonly CorpusFile[] {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const value: unknown = JSON.parse((isGzip ? gunzipSync(bytes) : bytes).toString('utf8'));
  if (!Array.isArray(value)) throw new Error('a corpus is a list of {file, statements}');
  return value.map((entry: unknown, index) => {
    if (isCorpusFile(entry)) return entry;
    throw new Error(`entry ${index + 1} of the corpus is not {file: string, statements: string[]}`);
  });
}

function isCorpusFile(value: unknown): value is CorpusFile {
  if (typeof value !== 'object' || value === null) return false;
  const { file, statements } = value as Partial<Record<keyof CorpusFile, unknown>>;
  return (
    typeof file === 'string' &&
    Array.isArray(statements) &&
    statements.every((statement) => typeof statement === 'string')
  );
}
