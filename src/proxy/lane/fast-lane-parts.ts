import type { Partition } from '../../engine/pool/pool.ts';
import type { SessionUse } from '../../policy/session-use.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import type { FrontendMessage } from '../../wire/framing.ts';
import type { EngineHold } from '../engine-hold.ts';
import type { EngineReader } from '../engine-reader.ts';
import type { EngineWriter } from '../engine-writer.ts';
import type { LinkWait } from '../link-wait.ts';
import type { ResponseQueue } from '../response-queue.ts';
import type { SessionState } from '../session-state.ts';
import type { Lanes } from './lanes.ts';

/** What the session lends its side of the fast lane. */
export interface FastLaneParts {
  readonly lanes: Lanes;
  readonly partition: Partition;
  readonly state: SessionState;
  readonly hold: EngineHold;
  readonly wait: Pick<LinkWait, 'isWaiting' | 'giveUp'>;
  readonly owed: ResponseQueue;
  readonly writer: EngineWriter;
  readonly engine: EngineReader;
  readonly useOf: (text: ClassifiedText) => SessionUse;
  /** Nothing ties the session to a connection, and nothing is owed to it. */
  readonly isFree: () => boolean;
  /** The client's messages may be taken again. */
  readonly onAnswered: () => void;
  /** These have to be taken once more, before all others. */
  readonly onWithdrawn: (messages: readonly FrontendMessage[]) => void;
  readonly onLost: () => void;
  /** A definition that a plan was made of has changed. */
  readonly onStale: () => void;
}
