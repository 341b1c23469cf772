import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StatusRow } from '../../ports.ts';
import type { StatementReader } from '../../sql/reader.ts';
import { shapeOf, type Shape } from '../../sql/shape.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import { classOf } from '../statement-class.ts';

/** The texts that ran most often; each takes a tenth of a millisecond the first time. */
const mostTexts = 1_000;
/** In one turn of the event loop. */
const perTurn = 25;

const shapes = new WeakMap<ClassifiedText, Shape | 'unknown'>();

/**
 * The rows of `_hatidata_status.statements`: what the reader remembers, texts that differ in constants alone as one row. No text is shown as
 * a client wrote it.
 */
export async function statementRows(
  reader: Pick<StatementReader, 'known' | 'parserCounts'>,
): Promise<readonly StatusRow[]> {
  const texts = [...reader.known()].filter(({ runs }) => runs > 0);
  const common = texts.toSorted((one, other) => other.runs - one.runs).slice(0, mostTexts);
  const groups = new Map<string, Group>();
  for (const [at, text] of common.entries()) {
    if (at % perTurn === perTurn - 1) await nextTurn();
    const shape = knownShape(text, reader);
    const names = [...new Set(text.statements.map(classOf))].toSorted().join(', ');
    const key = `${shape?.fingerprint} ${names}`;
    const group = groups.get(key) ?? { shape, names, runs: 0, texts: 0, bytes: 0 };
    groups.set(key, group);
    group.runs += text.runs;
    group.texts += 1;
    group.bytes += text.bytes;
  }
  return [...groups.values()].map(({ shape, names, ...sums }) => ({
    instance: process.pid,
    fingerprint: shape?.fingerprint ?? null,
    statement: shape?.text ?? null,
    class: names,
    ...sums,
  }));
}

interface Group {
  readonly shape: Shape | undefined;
  readonly names: string;
  runs: number;
  texts: number;
  bytes: number;
}

function knownShape(
  text: ClassifiedText,
  { parserCounts }: Pick<StatementReader, 'parserCounts'>,
): Shape | undefined {
  const known = shapes.get(text);
  if (known !== undefined) return known === 'unknown' ? undefined : known;
  // A parser that broke is not to be used any more.
  if (!parserCounts.isInProcess) return undefined;
  const shape = shapeOf(text);
  shapes.set(text, shape ?? 'unknown');
  return shape;
}
