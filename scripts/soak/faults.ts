/** What goes wrong in a run, one after the other, each with what it excuses. */
import { queryUrl } from '../../test/fixtures/own-postgres.ts';
import { any, sleep } from './load.ts';
import type { Books, Excuse, Place } from './record.ts';
import { restartSeconds, type Stage, type StagedProxy } from './stage.ts';

/** How long clients may hear of a fault: some hear of it with their next statement. */
const engineMs = 15_000;
/** Until the last old session was ended, its last transaction included. */
const restartMs = (restartSeconds + 20) * 1_000;
const badWeatherMs = 5_000;

export class Faults {
  readonly counts = new Map<string, number>();
  private readonly stage: Stage;
  private readonly record: Books;
  private readonly rotate: () => Promise<void>;
  private readonly list: readonly (readonly [name: string, act: () => Promise<void>])[];

  constructor(stage: Stage, record: Books, rotate: () => Promise<void>) {
    this.stage = stage;
    this.record = record;
    this.rotate = rotate;
    const { steady, restarted } = stage;
    const either = (): StagedProxy => (any(2) === 0 ? steady : restarted);
    this.list = [
      ['backends ended', () => this.kill()],
      ['connections cut', () => this.cut(either())],
      ['late bytes', () => this.weather(either(), { delayMs: 15 })],
      ['hati restart', () => this.renew('restart')],
      ['trickle', () => this.weather(either(), { pieceBytes: 40, delayMs: 1 })],
      ['cut in the middle', () => this.cutAmid(either())],
      ['key rotated', () => this.rotate()],
      ['backends ended', () => this.kill()],
      ['engine hangs up', () => this.hangUp(either())],
      ['hati reload', () => this.renew('reload')],
    ];
  }

  /** @param everyMs from the begin of one to the next */
  async run(everyMs: number, ending: AbortSignal): Promise<void> {
    for (let turn = 0; !ending.aborted; turn += 1) {
      await pausing(everyMs, ending);
      if (ending.aborted) return;
      const [name, act] = this.list[turn % this.list.length]!;
      this.counts.set(name, (this.counts.get(name) ?? 0) + 1);
      console.log(`${new Date().toISOString()} fault: ${name}`);
      try {
        await act();
      } catch (error) {
        this.record.wrong(`fault "${name}"`, String(error));
      }
    }
  }

  /** Three backends of clients, whatever they are doing. */
  private async kill(): Promise<void> {
    excuse(this.stage.steady, 'engine', engineMs);
    excuse(this.stage.restarted, 'engine', engineMs);
    await queryUrl(
      this.stage.url,
      `SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
        WHERE usename IN ('hatidata_writer', 'hatidata_reader') ORDER BY random() LIMIT 3) AS backends`,
    );
  }

  private async cut(proxy: StagedProxy): Promise<void> {
    excuse(proxy, 'engine', engineMs);
    proxy.relay.cut();
    await Promise.resolve();
  }

  private async cutAmid(proxy: StagedProxy): Promise<void> {
    excuse(proxy, 'engine', engineMs + badWeatherMs);
    proxy.relay.set({ cutAfterBytes: 1_000 + any(20_000) });
    await sleep(badWeatherMs);
    proxy.relay.set({});
  }

  private async hangUp(proxy: StagedProxy): Promise<void> {
    excuse(proxy, 'engine', engineMs + badWeatherMs);
    proxy.relay.set({ arrivals: 'hangUp' });
    proxy.relay.cut();
    await sleep(2_000);
    proxy.relay.set({});
  }

  /** Excuses nothing: slow is not wrong. */
  private async weather(
    proxy: StagedProxy,
    weather: Parameters<StagedProxy['relay']['set']>[0],
  ): Promise<void> {
    proxy.relay.set(weather);
    await sleep(badWeatherMs);
    proxy.relay.set({});
  }

  private async renew(command: 'restart' | 'reload'): Promise<void> {
    const proxy = this.stage.restarted;
    // Sessions of the generation before may be ended while this one comes up.
    excuse(proxy, 'restart', 120_000);
    const { code, stderr } = await proxy.hati.run([command]);
    proxy.excuses.delete('restart');
    excuse(proxy, 'restart', restartMs);
    if (code !== 0) throw new Error(`hati ${command} ended with ${code}: ${stderr}`);
  }
}

function excuse({ excuses }: Place, kind: Excuse, forMs: number): void {
  excuses.set(kind, Math.max(excuses.get(kind) ?? 0, Date.now() + forMs));
}

async function pausing(ms: number, ending: AbortSignal): Promise<void> {
  const end = Date.now() + ms;
  while (Date.now() < end && !ending.aborted) await sleep(Math.min(200, ms));
}
