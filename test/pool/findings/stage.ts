/** One client that is played a script, at the proxy with others around it, and at PostgreSQL itself. */
import type { Socket } from 'node:net';
import pg from 'pg';
import { startTestProxy, type TestProxy } from '../../fixtures/proxy.ts';
import { frontend as f, RawClient, show, type Received } from '../../fixtures/raw-client.ts';
import { smallPool } from '../small-pool.ts';

/** From here on, the engine connection that the client had last is somebody else's; on the way `back` it is free. */
export type Turn = 'elsewhere' | 'back';

/** What is sent in one write, and how many ReadyForQuery answer it: a message type to wait for, if it is another. */
export interface Step {
  readonly messages: readonly Buffer[];
  readonly answered: number | string;
}

export const step = (...messages: readonly Buffer[]): Step => ({
  messages,
  answered: messages.filter(({ 0: type }) => 'QS'.includes(String.fromCharCode(type!))).length,
});
export const answeredBy = (answered: number | string, ...messages: readonly Buffer[]): Step => ({
  messages,
  answered,
});
export const query = (text: string): Step => step(f.query(text));
/** Parse, Bind and Execute of the unnamed statement or of one with a name. */
export const whole = (name: string, text: string): Step =>
  step(f.parse(name, text), f.bind('', name), f.execute(''), f.sync());
export const run = (name: string): Step => step(f.bind('', name), f.execute(''), f.sync());

/** The answers, step by step; the last one is that to an empty query, so that an answer too many is seen. */
export async function play(
  client: RawClient,
  script: readonly (Step | Turn)[],
  turn: (to: Turn) => Promise<void> = () => Promise.resolve(),
): Promise<string[][]> {
  const answers: string[][] = [];
  for (const each of [...script, query('')]) {
    if (typeof each === 'string') await turn(each);
    else answers.push(await played(client, each));
  }
  return answers;
}

async function played(client: RawClient, { messages, answered }: Step): Promise<string[]> {
  client.send(...messages);
  if (typeof answered === 'string') return show(await client.until(answered));
  const received: Received[] = [];
  for (let left = answered; left > 0; left -= 1) received.push(...(await client.untilReady()));
  return show(received);
}

export class Stage {
  readonly proxy: TestProxy;
  private readonly holder: pg.Client;

  private constructor(proxy: TestProxy, holder: pg.Client) {
    this.proxy = proxy;
    this.holder = holder;
  }

  static async open(
    connections: 1 | 2,
    setup: string,
    mode: 'auto' | 'transaction' = 'auto',
  ): Promise<Stage> {
    const pool = { ...smallPool, mode, readers: connections, writers: connections };
    const proxy = await startTestProxy({ pool });
    const holder = await proxy.client();
    await holder.query(setup);
    await holder.query('DISCARD ALL');
    return new Stage(proxy, holder);
  }

  async atProxy(script: readonly (Step | Turn)[], key = ''): Promise<string[][]> {
    const client = await RawClient.login(this.proxy.port, key);
    let isElsewhere = false;
    const turn = async (to: Turn): Promise<void> => {
      isElsewhere = to === 'elsewhere';
      await this.holder.query(isElsewhere ? 'BEGIN; SELECT 1' : 'COMMIT');
    };
    try {
      return await play(client, script, turn);
    } finally {
      if (isElsewhere) await turn('back');
      client.close();
    }
  }

  async atPostgres(script: readonly (Step | Turn)[]): Promise<string[][]> {
    const client = await this.direct();
    try {
      return await play(client, script);
    } finally {
      client.close();
    }
  }

  /** A client of the engine that has logged in, as the proxy does it. */
  private async direct(): Promise<RawClient> {
    const login = new pg.Client({
      ...this.proxy.direct('writer'),
      options: '-c search_path=main,public',
    });
    login.on('error', () => undefined);
    await login.connect();
    const { stream } = (login as unknown as { connection: { stream: Socket } }).connection;
    stream.removeAllListeners();
    return new RawClient(stream);
  }

  async close(): Promise<void> {
    await this.proxy.stop();
  }
}
