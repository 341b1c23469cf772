import { LRUCache } from 'lru-cache';
import type { EngineStatement } from '../engine/pool/engine-statement.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import type { ParseMessage } from '../wire/frontend-messages.ts';
import { sharedKey, sharedStatement, type Preparation } from './client-statements.ts';
import { readsClockByParse } from './parse-settings.ts';

/**
 * Most drivers prepare a statement without a name each time that they run it, and the engine parses and plans it each time. In a fast
 * lane a text that comes again and again is prepared once, under a name of ours, and each client's unnamed statement is that one.
 *
 * What could be different is seen to: constants that stand for the time (never here), settings and definitions (part of
 * the key), a result whose columns have changed (`fast-lane.ts` runs it again), and the engine's plan, which may not be made for the
 * values any more: a text that turns out slow is parsed anew for a while, longer each time.
 */
export function standIn(
  message: Omit<ParseMessage, 'name'>,
  { runs, parsedAnew, names }: ClassifiedText,
  preparation: Preparation,
): EngineStatement | undefined {
  if (names || runs < (parsedAnew?.untilRun ?? often)) return undefined;
  const key = sharedKey(message, preparation);
  if (key === undefined) return undefined;
  const before = seen.get(key) ?? 0;
  if (before >= often) return sharedStatement(key, message);
  if (!readsClockByParse(message.text)) seen.set(key, before + 1);
  return undefined;
}

/** Its answers take too long. Whether for its plan or for the machine, is not known. */
export function noteSlowStandIn(text: ClassifiedText): void {
  const times = Math.min((text.parsedAnew?.times ?? 0) + 1, mostDoublings);
  text.parsedAnew = { times, untilRun: text.runs + pause * 2 ** times };
}

/** Runs. */
const pause = 100;
const mostDoublings = 30;

/** As PostgreSQL runs a prepared statement before it may keep a plan. */
const often = 5;

/** Of all sessions. What is known of a text may be known of others that differ in literals, so it is counted by itself. */
const seen = new LRUCache<string, number>({
  maxSize: 4 * 1024 * 1024,
  sizeCalculation: (_, key) => key.length + 100,
});
