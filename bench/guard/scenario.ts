/** Something that our code does over and over. */
export interface Scenario {
  readonly name: string;
  /** What is counted: a statement, a row, a message. So many of them in one run. */
  readonly units: number;
  /** How many of these there are depends on the clock, so that they are not counted. */
  readonly timed?: readonly ('reads' | 'writes')[];
  /** Passes a stream on, which comes in more or fewer pieces: the writes of each read are counted in place of both. */
  readonly isStream?: true;
  readonly run: () => unknown;
}

/** Runs before anything is counted: the first ones find empty caches. */
export const warmUps = 2;
