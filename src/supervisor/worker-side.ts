import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config.ts';
import { samplesOf } from '../metrics/sum.ts';
import { startObservation, type Observation } from '../serve/monitoring.ts';
import { prepareDatabases } from '../serve/prepare.ts';
import { startControlPlane } from '../serve/control-plane.ts';
import { startWorker, type Worker, type WorkerOrder } from '../serve/worker.ts';
import type { Logger } from '../shared/log.ts';
import { faultOf, protocolVersion, type Call, type Calls, type FromWorker } from './calls.ts';

/** How long transactions may go on when the supervisor is gone: somebody may want to start another one. */
const orphanPatienceMs = 1_000;

/** They reach the whole process group, or all processes of a service; the supervisor says what is to be done. */
const signalsOfTheSupervisor = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const;

type Handlers = {
  [Name in keyof Calls]: (
    argument: Parameters<Calls[Name]>[0],
    socket: object | undefined,
  ) => ReturnType<Calls[Name]>;
};

/**
 * What a worker process does: as it is told. States: idle → (prepared) → started → listening → retiring or stopping → gone.
 * Whatever becomes of the supervisor, no worker is left without one.
 */
export function obeySupervisor(
  channel: NodeJS.Process,
  loggerFor: (log: Config['log']) => Logger,
): void {
  const side = new WorkerSide(channel, loggerFor);
  for (const signal of signalsOfTheSupervisor) channel.on(signal, () => undefined);
  channel.on('disconnect', () => void side.end(orphanPatienceMs));
  channel.on('message', (call: Call, socket) => void side.answer(call, socket));
}

class WorkerSide {
  private readonly channel: NodeJS.Process;
  private readonly loggerFor: (log: Config['log']) => Logger;
  private readonly handlers: Handlers;
  private log: Logger | undefined;
  private observation: Observation | undefined;
  private worker: Worker | undefined;
  private ending: Promise<void> | undefined;

  constructor(channel: NodeJS.Process, loggerFor: (log: Config['log']) => Logger) {
    this.channel = channel;
    this.loggerFor = loggerFor;
    this.handlers = {
      prepare: (order) => prepareDatabases(order.config, order.logins, this.logger(order)),
      start: (order) => this.start(order),
      listen: (_, socket) => this.started().listen([socket!]),
      metrics: async () => samplesOf(this.observation?.metrics.all ?? []),
      missing: async () => (await this.observation?.readiness.missing()) ?? [],
      sessions: () => Promise.resolve(this.worker?.sessionCount ?? 0),
      retire: (patience) => {
        void this.retire(patience);
        return Promise.resolve();
      },
      stop: (patienceMs) => {
        void this.end(patienceMs);
        return Promise.resolve();
      },
    };
  }

  async answer({ protocol, id, name, argument }: Call, socket: object | undefined): Promise<void> {
    try {
      if (protocol !== protocolVersion)
        throw new Error(
          'the version of HatiData that is installed now can not be told by the running one; ' +
            'use `hati stop` and `hati start`',
        );
      const handler = this.handlers[name] as (argument: unknown, socket?: object) => unknown;
      this.say({ id, value: await handler(argument, socket) });
    } catch (error) {
      this.say({ id, fault: faultOf(error) });
    }
  }

  /** May be called again with less patience. */
  async end(patienceMs: number): Promise<void> {
    const stopped = this.worker?.stop(patienceMs);
    this.ending ??= this.leave(stopped);
    await this.ending;
  }

  private async start(order: WorkerOrder): Promise<void> {
    const log = this.logger(order);
    const observation = await startObservation(order.config, log);
    this.observation = observation;
    this.worker =
      order.serves === 'proxy'
        ? await startWorker(order, { log, observation })
        : await startControlPlane(order, { log, observation });
  }

  private async retire({ sessionsMs, transactionsMs }: Parameters<Calls['retire']>[0]) {
    const limit = new AbortController();
    const isOver = delay(sessionsMs, 'over', { signal: limit.signal }).catch(() => undefined);
    // Without a worker it was told before it had started: there is nobody to wait for.
    const why = await Promise.race([this.worker?.retire(), isOver]);
    limit.abort();
    await this.end(why === 'over' ? transactionsMs : 0);
  }

  private async leave(stopped: Promise<void> | undefined): Promise<void> {
    try {
      await stopped;
      await this.observation?.close();
    } catch (error) {
      this.log?.error({ err: error }, 'a worker did not end in good order');
    }
    const last = await this.handlers.metrics(undefined, undefined);
    // Until it is said, or nobody hears it any more.
    await new Promise<void>((resolve) => this.say({ last }, resolve));
    this.channel.exit(0);
  }

  private started(): Worker {
    if (this.worker === undefined) throw new Error('the worker has not started');
    return this.worker;
  }

  private logger({ config }: WorkerOrder): Logger {
    return (this.log ??= this.loggerFor(config.log));
  }

  private say(message: FromWorker, onSent: () => void = () => undefined): void {
    if (this.channel.connected) this.channel.send!(message, undefined, undefined, onSent);
    else onSent();
  }
}
