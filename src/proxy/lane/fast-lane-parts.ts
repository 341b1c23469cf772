import type { Partition } from '../../engine/pool/pool.ts';
import type { SessionUse } from '../../policy/session-use.ts';
import type { DefinitionCount } from '../../ports.ts';
import type { ClassifiedText } from '../../sql/statement.ts';
import type { FrontendMessage } from '../../wire/framing.ts';
import type { EngineHold } from '../engine-hold.ts';
import type { EngineReader } from '../engine-reader.ts';
import type { EngineWriter } from '../engine-writer.ts';
import type { LinkWait } from '../link-wait.ts';
import type { ResponseQueue } from '../response-queue.ts';
import type { SessionState } from '../session-state.ts';

/** What the session lends its side of the fast lane. */
export interface FastLaneParts {
  readonly partition: Partition;
  readonly state: SessionState;
  readonly hold: EngineHold;
  readonly request: Pick<LinkWait, 'isWaiting' | 'giveUp'>;
  readonly owed: ResponseQueue;
  readonly writer: EngineWriter;
  readonly engine: EngineReader;
  readonly messages: { useOf(text: ClassifiedText): SessionUse };
  readonly reader: {
    /** The client's messages may be taken again. */
    release(): void;
    /** These have to be taken once more, before all others. */
    takeAgain(messages: readonly FrontendMessage[]): void;
  };
  readonly ending: { engineGone(): void };
  readonly rest: {
    /** Nothing ties the session to a connection, and nothing is owed to it. */
    isFree(): boolean;
  };
  readonly pipeline: {
    /** Told where a definition that a plan was made of has changed. */
    readonly definitions: Pick<DefinitionCount, 'noticed'>;
  };
}
