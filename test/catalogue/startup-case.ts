/** A case of which the startup packet is the attack. */
import { expect } from 'vitest';
import { frontend as f, RawClient, show } from '../fixtures/raw-client.ts';
import type { ScriptCase } from './model.ts';
import { expectSeen } from './run-rows.ts';

type Parameters = Readonly<Record<string, string>>;

/** What a login with these parameters is told: an error, or what the session then says of itself. */
export function startup(
  parameters: Parameters,
  sees: string | RegExp,
  ask = 'SELECT 1',
): ScriptCase {
  return {
    name: JSON.stringify(parameters),
    run: async (world) => {
      const client = new RawClient(world.proxy.port);
      client.send(
        f.startup({ user: 'agent', ...parameters }),
        f.password(world.keys.readonly),
        f.query(ask),
      );
      const seen: string[] = [];
      while (seen.filter((line) => line.startsWith('Z ')).length < 2) {
        const message = await client.next();
        if (message === undefined) break;
        seen.push(...show([message]));
      }
      client.close();
      const answer = seen.find((line) => /^[ED] /.test(line)) ?? 'nothing';
      expectSeen([answer], [sees]);
      // Where it was refused, nothing was run.
      if (answer.startsWith('E ')) expect(seen.at(-1)).toBe(answer);
    },
  };
}
