/** An ErrorResponse that a PostgreSQL gave to a statement of a client; passed on to that client as it is. */
export class EngineError extends Error {
  readonly response: Buffer;

  constructor(response: Buffer) {
    super('the engine refused a statement');
    this.name = 'EngineError';
    this.response = response;
  }
}
