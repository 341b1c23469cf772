import type { ClassifiedText } from '../../sql/statement.ts';

/** A text that takes longer, or brings more, runs on a connection of its own. */
const shortMs = 10;
const shortBytes = 16 * 1024;
/** What a run weighs that held up others. */
const heldUpMs = 8 * shortMs;
const weight = 1 / 4;

/** It has run before, and was short. */
export function isShort({ pace }: ClassifiedText): boolean {
  return pace !== undefined && pace.ms < shortMs && pace.bytes < shortBytes;
}

export function notePace(text: ClassifiedText, ms: number, bytes: number): void {
  const { pace } = text;
  if (pace === undefined) text.pace = { ms, bytes };
  else {
    pace.ms += (ms - pace.ms) * weight;
    pace.bytes = Math.max(bytes, pace.bytes * (1 - weight));
  }
}

/** Others had to wait for it: it runs by itself until it was short for some times. */
export function noteHeldUp(text: ClassifiedText): void {
  text.pace = { ms: heldUpMs, bytes: text.pace?.bytes ?? 0 };
}
