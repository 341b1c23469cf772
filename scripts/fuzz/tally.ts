import type { FoundCase } from './case-file.ts';

/** What was tried and what was found, for the end of the run. */
export class Tally {
  readonly failures: { readonly family: string; readonly file: string; count: number }[] = [];
  readonly #tried = new Map<string, number>();
  readonly #seconds = new Map<string, number>();

  tried(kind: string): void {
    this.#tried.set(kind, (this.#tried.get(kind) ?? 0) + 1);
  }

  took(part: string, ms: number): void {
    this.#seconds.set(part, ms / 1000);
  }

  /** Whether a failure of this family was seen before; if so it is counted with it. */
  isKnown(family: string): boolean {
    const known = this.failures.find((failure) => failure.family === family);
    if (known) known.count += 1;
    return known !== undefined;
  }

  failed(family: string, file: string): void {
    this.failures.push({ family, file, count: 1 });
  }

  lines(): readonly string[] {
    const cases = [...this.#tried].map(([kind, count]) => `${String(count).padStart(9)}  ${kind}`);
    const total = [...this.#tried.values()].reduce((sum, count) => sum + count, 0);
    const seconds = [...this.#seconds.values()].reduce((sum, one) => sum + one, 0);
    const failures = this.failures.map(
      ({ family, file, count }) => `${String(count).padStart(9)}  ${family}\n           ${file}`,
    );
    return [
      'Cases tried:',
      ...cases,
      `${String(total).padStart(9)}  in all, in ${seconds.toFixed(0)} s: ${(total / Math.max(seconds, 1)).toFixed(0)} a second`,
      `Failures: ${this.failures.length} kinds`,
      ...failures,
    ];
  }
}

/** Failures that come of one cause mostly name the same things. */
export function familyOf(found: FoundCase): string {
  if (found.kind !== 'statement') return `${found.kind}: ${found.reason.replace(/:.*/s, '')}`;
  const names = found.text.match(
    /\b(?:trap|pg|lo|f|ts|txid)_\w+|\btrap\b|\bkeyed\b|\bset_config\b/g,
  );
  return `statement: ${found.reason}: ${[...new Set(names)].toSorted().join(' ')}`;
}
