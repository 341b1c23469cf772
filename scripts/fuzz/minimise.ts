/**
 * Leaves out what is not needed for the failure: halves first, then smaller pieces, down to single parts. Not the least
 * possible, but short enough to be read.
 */
export async function minimised<T>(
  parts: readonly T[],
  stillFails: (parts: readonly T[]) => Promise<boolean>,
  mostTries = 300,
): Promise<readonly T[]> {
  let kept = parts;
  let tries = 0;
  for (let size = Math.ceil(parts.length / 2); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < kept.length && tries < mostTries;) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      tries += 1;
      if (fewer.length < kept.length && (await stillFails(fewer))) kept = fewer;
      else at += size;
    }
  }
  return kept;
}
