/**
 * Every write that clients made, and what they know of it. At the end the table must agree: what was acknowledged is there
 * once, what was rolled back is not; what was under way when a connection was lost may be either.
 */
import { queryUrl } from '../../test/fixtures/own-postgres.ts';

interface Writes {
  last: number;
  /** Nobody has heard of their end. */
  readonly open: Set<number>;
  readonly rolledBack: Set<number>;
}

export class Ledger {
  acknowledged = 0;
  private readonly writes = new Map<number, Writes>();

  /** @returns the number of the next write of this client, which the table gets beside its own. */
  begin(client: number): number {
    const writes = this.of(client);
    writes.last += 1;
    writes.open.add(writes.last);
    return writes.last;
  }

  committed(client: number, write: number): void {
    this.of(client).open.delete(write);
    this.acknowledged += 1;
  }

  rolledBack(client: number, write: number): void {
    const { open, rolledBack } = this.of(client);
    open.delete(write);
    rolledBack.add(write);
  }

  /** @returns what is wrong, and nothing where all is right. */
  async check(url: string): Promise<readonly string[]> {
    const { rows } = await queryUrl(
      url,
      'SELECT client, write, count(*)::int AS times FROM ledger GROUP BY 1, 2',
    );
    const wrong: string[] = [];
    const there = new Map<number, Set<number>>();
    for (const { client, write, times } of rows as {
      client: number;
      write: number;
      times: number;
    }[]) {
      const writes = this.writes.get(client);
      if (times !== 1) wrong.push(`write ${write} of client ${client} is there ${times} times`);
      if (writes === undefined || write > writes.last)
        wrong.push(`client ${client} never wrote ${write}`);
      else if (writes.rolledBack.has(write))
        wrong.push(`write ${write} of client ${client} was rolled back and is there`);
      const set = there.get(client) ?? new Set();
      there.set(client, set.add(write));
    }
    for (const [client, { last, open, rolledBack }] of this.writes)
      for (let write = 1; write <= last; write += 1)
        if (!open.has(write) && !rolledBack.has(write) && there.get(client)?.has(write) !== true)
          wrong.push(`write ${write} of client ${client} was acknowledged and is lost`);
    return wrong;
  }

  private of(client: number): Writes {
    let writes = this.writes.get(client);
    if (writes === undefined) {
      writes = { last: 0, open: new Set(), rolledBack: new Set() };
      this.writes.set(client, writes);
    }
    return writes;
  }
}
