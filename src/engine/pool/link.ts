import { HatiError } from '../../errors.ts';
import type { Leaving } from '../../policy/session-use.ts';
import { errorField } from '../../wire/error-fields.ts';
import { sync, terminate } from '../../wire/frontend-messages.ts';
import { Backend, headerBytes } from '../../wire/protocol.ts';
import { lendReads } from '../../wire/shared-reads.ts';
import type { UpstreamConnection, UpstreamSession } from '../upstream.ts';
import type { PoolCounts } from './counts.ts';
import { answerFramer, Collector, type Exchanged } from './exchange.ts';
import { LinkStatements } from './link-statements.ts';

/** Who gets what comes from the engine. */
export interface Receiver {
  onData(chunk: Buffer): void;
  /** The connection is over. */
  onGone(): void;
}

export interface LinkParts {
  readonly upstream: UpstreamConnection;
  readonly partition: { readonly key: string; readonly start: UpstreamSession };
  readonly counts: PoolCounts;
  readonly onClosed: () => void;
}

/** Our own exchanges are small; one that does not end in time has met a connection that is good for nothing. */
const exchangeMs = 10_000;
/** How long an engine may take to close what is thrown away, and to end what it was sent before. */
const closeMs = 5_000;

/**
 * One connection to an engine and what is known of its session. It belongs to a pool, or for a while to one holder, who
 * alone may write to it then.
 */
export class EngineLink {
  readonly upstream: UpstreamConnection;
  /** Links of one partition began alike; see `Partition`. */
  readonly partition: string;
  /** How it began. */
  readonly start: UpstreamSession;
  /** Of its pool. */
  readonly counts: PoolCounts;
  readonly openedAt = Date.now();
  /** Since when its last holder has it, or had it. */
  heldSince = Date.now();
  /** Since when nobody holds it. */
  idleSince = Date.now();
  /** Settings that differ from those that it began with, by what was put there. */
  settings: ReadonlyMap<string, string> = new Map();
  readonly statements = new LinkStatements();
  /** Who held it last. */
  lastHolder: object | undefined;
  /** Whose turn it last was in the line, and how many have followed each other there. */
  group: string | undefined;
  turns = 0;
  /** What the statements of its last holder may have left behind. */
  left: Leaving = 'nothing';
  /** Nobody else may get it. */
  isRetired = false;
  /** The parameters that the pool has found in order. */
  checked: ReadonlyMap<string, string> | undefined;
  /** As the engine last reported them; replaced, never changed. */
  parameters: ReadonlyMap<string, string>;
  private receiver: Receiver;
  private readonly idleFramer = answerFramer();
  private readonly idleReceiver: Receiver = {
    onData: (chunk) => this.onIdleData(chunk),
    onGone: () => undefined,
  };
  private readonly onClosed: () => void;
  /** On its way to the engine; never rejects. */
  private cancelling: Promise<void> | undefined;
  /** For whatever runs when that one has arrived. */
  private nextCancel: Promise<void> | undefined;
  private isOver = false;

  constructor({ upstream, partition, counts, onClosed }: LinkParts) {
    this.upstream = upstream;
    this.partition = partition.key;
    this.start = partition.start;
    this.counts = counts;
    this.parameters = upstream.parameters;
    this.onClosed = onClosed;
    this.receiver = this.idleReceiver;
    const { socket } = upstream;
    lendReads(socket);
    socket.on('data', (chunk: Buffer) => this.receiver.onData(chunk));
    socket.on('end', () => this.gone());
    socket.on('close', () => this.gone());
    if (upstream.leftover.length > 0) this.receiver.onData(upstream.leftover);
    if (socket.destroyed) queueMicrotask(() => this.gone());
    socket.resume();
  }

  get isUsable(): boolean {
    const { socket } = this.upstream;
    // Half of a message that nobody asked for would be taken for the beginning of an answer.
    const isBetweenMessages = this.idleFramer.pendingBytes === 0;
    return !this.isOver && !this.isRetired && socket.writable && isBetweenMessages;
  }

  get mustSettleCancels(): boolean {
    return this.cancelling !== undefined || this.nextCancel !== undefined;
  }

  /** From now on what comes is for this one. */
  hold(holder: object, receiver: Receiver): void {
    this.lastHolder = holder;
    this.heldSince = Date.now();
    this.receiver = receiver;
    // The beginning of a message that nobody asked for; the rest of it comes next.
    const pending = this.idleFramer.takePending();
    if (pending.length === 0) return;
    if (mayComeUnasked(pending[0]!)) receiver.onData(pending);
    else this.upstream.socket.destroy();
  }

  /** Back to nobody; between two messages only. */
  letGo(): void {
    this.idleSince = Date.now();
    this.receiver = this.idleReceiver;
    this.upstream.socket.resume();
  }

  noteParameter(body: Buffer): void {
    const [name, value] = body.toString('utf8').split('\0');
    if (name === undefined || value === undefined || this.parameters.get(name) === value) return;
    this.parameters = new Map([...this.parameters, [name, value]]);
  }

  /** Asks the engine to cancel what runs. Each request is a connection of its own: one at a time, and one that waits for all that ask meanwhile. */
  cancel(): Promise<void> {
    if (this.cancelling === undefined) return this.sendCancel();
    this.nextCancel ??= this.cancelling.then(() => {
      this.nextCancel = undefined;
      return this.sendCancel();
    });
    return this.nextCancel;
  }

  private sendCancel(): Promise<void> {
    const sent = this.upstream.cancel();
    const settled = sent
      // Nobody knows when it would arrive.
      .catch(() => {
        this.isRetired = true;
      })
      .finally(() => {
        this.cancelling = undefined;
      });
    this.cancelling = settled;
    return sent;
  }

  /**
   * Waits until no cancel request can hit any more what comes next: the server closes the connection of a request once it has
   * sent the signal, and a backend forgets a signal that finds it between two messages.
   */
  async settleCancels(): Promise<void> {
    while (this.cancelling !== undefined)
      await (this.nextCancel ?? this.cancelling).catch(() => undefined);
    if (this.isUsable) await this.exchange(sync);
  }

  /**
   * Sends messages that end in exactly one ReadyForQuery; only while nobody's answers are awaited. Rejects when it does not come to
   * that, and then the connection is over: an answer that comes late must reach nobody.
   */
  exchange(messages: Buffer): Promise<Exchanged> {
    const before = this.receiver;
    // A Query ends it.
    this.statements.unnamed = undefined;
    return new Promise<Exchanged>((resolve, reject) => {
      const collector = new Collector((body) => this.noteParameter(body));
      const fail = (reason: string): void => {
        clearTimeout(timer);
        this.destroy();
        reject(new HatiError('engine_unreachable', { params: { reason } }));
      };
      const timer = setTimeout(() => fail('it does not answer'), exchangeMs);
      this.receiver = {
        onData: (chunk) => {
          try {
            const result = collector.push(chunk);
            if (result === undefined) return;
            clearTimeout(timer);
            this.receiver = before;
            resolve(result);
            // Something that nobody asked for came with it.
            if (collector.hasMore) before.onData(collector.takeRest());
          } catch (error) {
            fail(error instanceof Error ? error.message : 'it sent nonsense');
          }
        },
        onGone: () => fail('the connection was lost'),
      };
      if (this.isOver) fail('the connection was lost');
      else this.upstream.socket.write(messages);
      // Whoever held it may have paused it for a client that reads slowly.
      this.upstream.socket.resume();
    });
  }

  /** Its session is as it began. */
  cleaned(): void {
    this.counts.cleaned += 1;
    this.left = 'nothing';
    this.settings = new Map();
    this.statements.clear();
  }

  /** Behind all that was sent: the engine ends when it has done that. It is still read, so it must not take us for gone. */
  leave(): void {
    this.isRetired = true;
    this.upstream.socket.write(terminate);
  }

  /** In good order. */
  close(): void {
    const { socket } = this.upstream;
    this.isRetired = true;
    this.upstream.close();
    if (this.isOver) return;
    // An engine that has gone silent must not keep the place.
    const timer = setTimeout(() => socket.destroy(), closeMs);
    socket.once('close', () => clearTimeout(timer));
  }

  /** Resolves when nothing is left of it; until then the engine counts it. */
  async closed(): Promise<void> {
    const { socket } = this.upstream;
    if (!socket.destroyed)
      await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  }

  /** Rejects where it does not answer: a network may have forgotten it. */
  async check(): Promise<void> {
    await this.exchange(sync);
  }

  /** At once; whatever still comes is nobody's. */
  destroy(): void {
    this.isRetired = true;
    this.receiver = nobody;
    this.upstream.socket.destroy();
  }

  private gone(): void {
    if (this.isOver) return;
    this.isOver = true;
    // Whoever holds it may close it when it hears of that.
    if (this.isRetired) this.counts.closed += 1;
    else this.counts.broken += 1;
    this.receiver.onGone();
    this.onClosed();
  }

  /** An engine says little to an idle connection: that a setting has another value now, or goodbye. */
  private onIdleData(chunk: Buffer): void {
    try {
      const framer = this.idleFramer;
      framer.push(chunk);
      for (let raw = framer.next(); raw !== undefined; raw = framer.next()) {
        if (!mayComeUnasked(raw[0]!)) this.close();
        else if (raw[0] === Backend.ParameterStatus) this.noteParameter(raw.subarray(headerBytes));
      }
    } catch {
      this.close();
    }
  }
}

const nobody: Receiver = { onData: () => undefined, onGone: () => undefined };

/** What an engine may say to an idle connection. */
function mayComeUnasked(type: number): boolean {
  return (
    type === Backend.ParameterStatus ||
    type === Backend.NoticeResponse ||
    type === Backend.NotificationResponse
  );
}

/** What an engine said, for the one who asked in vain. */
export function reasonOf(error: Buffer): string {
  return errorField(error, 'M') ?? 'it refused';
}
