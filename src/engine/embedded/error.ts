/**
 * A fault of the embedded server, told to a person at a terminal: what happened, and what to do about it.
 * Never sent to a database client.
 */
export class EmbeddedServerError extends Error {
  override readonly name = 'EmbeddedServerError';
}

/** `ENOENT`, `EACCES`, … of an error thrown by Node, if it has one. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}
