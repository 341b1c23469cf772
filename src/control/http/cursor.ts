import { readCursor, type Position } from '../../api/paging.ts';
import { HatiError } from '../../errors.ts';

/**
 * In a list that is sorted by a time and an id: where its next page begins. Throws for a cursor that is not of such a list.
 * @param prefix of the ids in the list
 */
export function positionBehind(cursor: string | undefined, prefix: string): Position | undefined {
  if (cursor === undefined) return undefined;
  const position = readCursor(cursor, 2);
  if (position !== undefined) {
    const [time, id] = position;
    if (isTime(time!) && id!.startsWith(prefix) && /^\w+$/.test(id!)) return position;
  }
  throw new HatiError('request_invalid', {
    params: { message: 'cursor: it is not one of this list' },
    details: { field: 'cursor', constraint: 'unknown' },
  });
}

/** As we write it, of a year that the store knows, and of a day that there is. */
function isTime(text: string): boolean {
  if (!/^[12]\d{3}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/.test(text)) return false;
  const time = new Date(text);
  return !Number.isNaN(time.getTime()) && time.toISOString() === text;
}
