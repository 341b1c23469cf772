/** A statement on its way through a lane, and whose it is. */
export interface Rider {
  /** @returns what is behind its answer; undefined while that is not whole. Throws where it can't be followed. */
  receive(chunk: Buffer): Buffer | undefined;
  /** All of its answer has been received. @param ms that the engine took for it. */
  answered(ms: number): void;
  /** Others wait for it, and are sent elsewhere. */
  heldUp(): void;
  /** Nothing of its answer has been received, and nothing will be: it has to be sent again. */
  withdrawn(): void;
  /** The engine refuses it where it does not know the agent; `withdrawn` follows. */
  needsAgent(): void;
  /** The connection broke in the middle of its answer, or while it ran. */
  lost(): void;
}
