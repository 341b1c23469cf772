/**
 * The fields of an ErrorResponse or NoticeResponse: one byte of kind, then a string.
 * Source: https://www.postgresql.org/docs/18/protocol-error-fields.html
 */
export function errorField(body: Buffer, kind: string): string | undefined {
  const wanted = kind.charCodeAt(0);
  for (let at = 0; at < body.length && body[at] !== 0;) {
    const end = body.indexOf(0, at + 1);
    if (end < 0) return undefined;
    if (body[at] === wanted) return body.toString('utf8', at + 1, end);
    at = end + 1;
  }
  return undefined;
}

/** True for errors that end the session. Servers before 9.6 do not send `V`, but those are not supported. */
export function isFatal(body: Buffer): boolean {
  const severity = errorField(body, 'V');
  return severity === 'FATAL' || severity === 'PANIC';
}

/** `cached plan must not change result type`, and a prepared statement that is not there. */
export function isStale(error: Buffer): boolean {
  const state = errorField(error, 'C');
  return (
    state === '26000' || (state === '0A000' && errorField(error, 'R') === 'RevalidateCachedQuery')
  );
}
