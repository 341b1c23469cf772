/**
 * A text whose parts are addressed by bytes, as the parser does: `location`, `stmt_location`, token bounds are
 * offsets into the UTF-8 form, not into a JavaScript string.
 */
export class Source {
  readonly text: string;
  #bytes: Buffer | undefined;

  constructor(text: string) {
    this.text = text;
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text, 'utf8');
    return this.#bytes;
  }

  slice(start: number, end?: number): string {
    return this.bytes.toString('utf8', start, end);
  }
}

/** One replacement of bytes by text. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Applies replacements that do not overlap. */
export function splice(source: Source, splices: readonly Splice[]): string {
  let result = '';
  let from = 0;
  for (const { start, end, text } of splices.toSorted((a, b) => a.start - b.start)) {
    result += source.slice(from, start) + text;
    from = end;
  }
  return result + source.slice(from);
}
