import { LRUCache } from 'lru-cache';
import { HatiError } from '../errors.ts';
import type { CacheSize, ParserCounts } from '../metrics/sources.ts';
import { analyse, TooManyParts } from './analyse.ts';
import { holdsForAnyLiterals } from './any-literals.ts';
import { isSmall } from './complexity.ts';
import { ParserBroken, loadParser } from './parse.ts';
import { ParserPool, tooComplex } from './parser-pool.ts';
import type { ClassifiedText } from './statement.ts';
import { exactKeyOf, formOf } from './text-form.ts';

export interface ReaderOptions {
  /** Bound of the cache, keys and values. */
  readonly cacheBytes: number;
  /** The longest text that is read at all. */
  readonly statementBytes: number;
  readonly workers: number;
  /** For one text in a worker, and for its wait until one is free. */
  readonly deadlineMs: number;
}

const queuedTexts = 16;

/**
 * Bytes of a Query or Parse message -> what is known of them.
 *
 * Small texts are read here and now, large ones by worker threads, known ones not at all. What is remembered is keyed by the
 * bytes as they were sent, or by the form of the text, where what is known holds for any literals: then texts that differ in
 * plain literals alone share a judgement, and others that differ in one byte never do. Refusals are not remembered.
 */
export class StatementReader {
  readonly #options: ReaderOptions;
  readonly #cache: LRUCache<string, ClassifiedText>;
  readonly #pool: ParserPool;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  /** False for good once this thread's parser broke. */
  #inProcess = false;
  #isLoaded = false;
  #hits = 0;
  #misses = 0;

  constructor(options: ReaderOptions) {
    this.#options = options;
    this.#cache = new LRUCache({
      maxSize: options.cacheBytes,
      // One huge text must not empty the cache.
      maxEntrySize: Math.ceil(options.cacheBytes / 16),
      sizeCalculation: (value, key) => value.bytes + key.length,
    });
    const queueBytes = queuedTexts * options.statementBytes;
    this.#pool = new ParserPool({
      workers: options.workers,
      deadlineMs: options.deadlineMs,
      queueBytes,
    });
  }

  /** Loads the parser here and in the workers. Must be awaited before the first `read`. */
  async start(): Promise<void> {
    await Promise.all([loadParser(), this.#pool.start()]);
    this.#inProcess = true;
    this.#isLoaded = true;
  }

  /** Between `start` and `close`. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** Of the texts that are known. */
  get cacheCounts(): CacheSize {
    const { calculatedSize, size } = this.#cache;
    return { hits: this.#hits, misses: this.#misses, bytes: calculatedSize, entries: size };
  }

  /** Those that are known, in no order. */
  known(): Iterable<ClassifiedText> {
    return this.#cache.values();
  }

  get parserCounts(): ParserCounts {
    const { waiting, replaced } = this.#pool;
    return { waiting, replaced, isInProcess: this.#inProcess };
  }

  /**
   * A value when it is known at once. Throws, or rejects with, `HatiError`.
   * @param source whose text it is: large texts of one source wait for each other, not for those of another
   */
  read(bytes: Buffer, source?: string): ClassifiedText | Promise<ClassifiedText> {
    const limit = this.#options.statementBytes;
    if (bytes.length > limit)
      throw new HatiError('statement_too_long', { params: { bytes: bytes.length, limit } });
    const form = formOf(bytes);
    const ofForm = form === undefined ? undefined : this.#cache.get(form);
    if (ofForm) return this.#hit(ofForm);
    // Made now: by the time that a worker is done, other bytes may be in their place.
    const exactKey = exactKeyOf(bytes);
    const known = this.#cache.get(exactKey);
    if (known) return this.#hit(known);
    this.#misses += 1;
    const text = this.#decode(bytes);
    const remember = (value: ClassifiedText): ClassifiedText => {
      const isOfForm = form !== undefined && holdsForAnyLiterals(value);
      this.#cache.set(isOfForm ? form : exactKey, value);
      return value;
    };
    if (this.#inProcess && isSmall(bytes)) return remember(this.#readHere(text));
    return this.#pool.read(text, source).then(remember);
  }

  async close(): Promise<void> {
    this.#isLoaded = false;
    this.#cache.clear();
    await this.#pool.close();
  }

  #hit(known: ClassifiedText): ClassifiedText {
    this.#hits += 1;
    return known;
  }

  #readHere(text: string): ClassifiedText {
    try {
      return analyse(text);
    } catch (error) {
      if (error instanceof HatiError) throw error;
      if (error instanceof TooManyParts) throw tooComplex(error.message);
      if (error instanceof ParserBroken || error instanceof RangeError) {
        this.#inProcess = false;
        throw tooComplex('the parser ran out of stack or memory');
      }
      throw error;
    }
  }

  #decode(bytes: Buffer): string {
    // The parser is C and stops at NUL; the engine would too, but neither may see only the beginning of a text.
    if (bytes.includes(0)) {
      throw new HatiError('protocol_violation', {
        params: { reason: 'a statement holds a NUL byte' },
      });
    }
    try {
      return this.#decoder.decode(bytes);
    } catch (error) {
      throw new HatiError('invalid_utf8', { cause: error });
    }
  }
}
