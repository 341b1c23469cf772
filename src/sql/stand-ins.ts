import { viewInPlace, type ViewPlace } from './stand-in-views.ts';
import { limitInPlace, type NoLimit } from './time-limits.ts';

/**
 * What a restricted key's statement says, where something else can be put in its place: the part of a system view that such
 * a key may see, and a time limit where none is asked for.
 */
export type StandIn = ViewPlace | NoLimit;

/** More than any of them is long where it is spelt as expected. */
const longest = 200;

/** @returns the text with what takes their places; undefined when one of them is spelt in an unexpected way. */
export function withStandIns(text: Buffer, places: readonly StandIn[]): string | undefined {
  let result = text;
  for (const place of places.toSorted((a, b) => b.location - a.location)) {
    const { location } = place;
    const written = result.subarray(location, location + longest).toString('latin1');
    const found =
      place.kind === 'view' ? viewInPlace(place, written) : limitInPlace(place, written);
    if (found === undefined) return undefined;
    result = Buffer.concat([
      result.subarray(0, location),
      Buffer.from(found.instead),
      result.subarray(location + found.spelt.length),
    ]);
  }
  return result.toString('utf8');
}
