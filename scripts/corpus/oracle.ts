/**
 * What PostgreSQL says of a text: run as the reader in a transaction that is rolled back, first READ ONLY, then READ
 * WRITE to see what READ ONLY hid. Session state that HatiData would have let the reader make (SET, PREPARE) stays with
 * the reader's session, and no other: it is in the state that an agent's would be in after the same statements.
 */
import { effectsIn, effectsSql, type Expected } from './effects.ts';
import { roles, type ThrowawayServer } from './server.ts';
import { QueryFailed, Session, type Outcome } from './session.ts';
import type { Shape } from './shape.ts';

export type Answer =
  /** Neither lock nor list of PostgreSQL's stood in its way, and it left no trace. */
  | { readonly kind: 'harmless' }
  | { readonly kind: 'writes'; readonly reason: string }
  /** Refused for a privilege to read, which has nothing to do with writing. */
  | { readonly kind: 'unreadable' }
  /** It fails for a reason of its own: syntax, a missing object, a value, time. */
  | { readonly kind: 'fails'; readonly sqlstate: string };

const writes = (reason: string): Answer => ({ kind: 'writes', reason });

const settings = {
  default_transaction_read_only: 'on',
  statement_timeout: '2000',
  // The corpus's own open transaction may hold what is asked for, and it goes on only after us.
  lock_timeout: '50',
  client_min_messages: 'error',
  extra_float_digits: '0',
};

/** Not the corpus's to change for good: the next statement would not have the time that it needs. */
const ownLimits = `SET statement_timeout = ${settings.statement_timeout}; SET lock_timeout = ${settings.lock_timeout}`;

export interface OracleOptions {
  readonly server: ThrowawayServer;
  readonly database: string;
  readonly terminate: (pid: number) => Promise<void>;
}

export class Oracle {
  readonly #reader: Session;
  readonly #allReader: Session;
  readonly #kept: string[] = [];

  constructor({ server, database, terminate }: OracleOptions) {
    const session = (role: 'reader' | 'allReader'): Session =>
      new Session({
        login: server.login(role, database, settings),
        deadlineMs: 5_000,
        terminate,
      });
    this.#reader = session('reader');
    this.#allReader = session('allReader');
  }

  async ask(text: string, shape: Shape | undefined): Promise<Answer> {
    if (shape?.twoPhase === true) return writes('two-phase commit');
    const readOnly = await this.#attempt(text, shape, 'READ ONLY');
    const first = judge(readOnly, shape);
    // What fails for a reason of its own fails again; what is refused is known.
    if (first.kind === 'fails' || first.kind === 'writes') return first;
    if (first.kind === 'unreadable') return await this.#askAllReader(text, shape);
    const second = judge(await this.#attempt(text, shape, 'READ WRITE'), shape);
    return second.kind === 'writes' ? writes(`READ WRITE: ${second.reason}`) : first;
  }

  /** Runs what HatiData let pass and what belongs to the session, so that later statements find it. */
  async keep(text: string): Promise<void> {
    this.#kept.push(text);
    await this.#reader.run(text);
    await this.#reader.run(ownLimits);
  }

  /**
   * Whether PostgreSQL's grammar reads the text. In an aborted transaction a server parses what it is sent and then says
   * 25P02, whatever it is, except for the statements that end the transaction.
   */
  async canParse(text: string): Promise<boolean> {
    await this.#reader.run('BEGIN');
    await this.#reader.run('SELECT 1 / 0');
    const outcome = await this.#reader.run(text);
    await this.#reader.run('ROLLBACK');
    return outcome.kind === 'ran' || (outcome.kind === 'failed' && outcome.sqlstate === '25P02');
  }

  async close(): Promise<void> {
    await Promise.all([this.#reader.close(), this.#allReader.close()]);
  }

  async #askAllReader(text: string, shape: Shape | undefined): Promise<Answer> {
    const outcome = await this.#attempt(text, shape, 'READ ONLY', 'allReader');
    const refused = outcome.kind === 'failed' && outcome.sqlstate === '42501';
    return refused
      ? writes(`42501 even for a role that may read everything`)
      : { kind: 'unreadable' };
  }

  async #attempt(
    text: string,
    shape: Shape | undefined,
    mode: Expected['mode'],
    role: 'reader' | 'allReader' = 'reader',
  ): Promise<Attempt> {
    const session = role === 'reader' ? this.#reader : this.#allReader;
    const expected: Expected = { user: roles[role], mode };
    await session.run(`BEGIN ${mode}`);
    let attempt = await finish(session, text, expected);
    await session.run('ROLLBACK');
    if (attempt.kind === 'failed' && attempt.sqlstate === '25001') {
      // Not in a transaction. The reader's rights are all that holds it then, in a database to be thrown away.
      attempt = await finish(session, text, { user: roles[role], mode: 'READ ONLY' });
    }
    if (shape?.prepares !== undefined && attempt.kind === 'ran')
      await session.run(`DEALLOCATE "${shape.prepares.replaceAll('"', '""')}"`);
    if (attempt.kind === 'lost' || (attempt.kind === 'ran' && attempt.effects.length > 0))
      await this.#startOver(session);
    return attempt;
  }

  /** What the statement did to the session must not be there for the next one; what earlier ones were let do must. */
  async #startOver(session: Session): Promise<void> {
    await session.close();
    if (session !== this.#reader || this.#kept.length === 0) return;
    for (const text of this.#kept) await session.run(text);
    await session.run(ownLimits);
  }
}

export type Attempt =
  | { readonly kind: 'ran'; readonly effects: readonly string[] }
  | Exclude<Outcome, { kind: 'ran' }>;

async function finish(session: Session, text: string, expected: Expected): Promise<Attempt> {
  const outcome = await session.run(text);
  if (outcome.kind !== 'ran') return outcome;
  try {
    const rows = await session.rows(effectsSql);
    return { kind: 'ran', effects: effectsIn(rows[0]?.[0] ?? '{}', expected) };
  } catch (error) {
    if (!(error instanceof QueryFailed)) throw error;
    // A statement_timeout of a millisecond leaves no time to look.
    const { outcome: asked } = error;
    if (asked.kind === 'failed' && asked.sqlstate === '57014') return asked;
    // The statement left a transaction in which nobody can ask: that is an effect.
    return { kind: 'ran', effects: ['the transaction was aborted'] };
  }
}

/** One attempt, judged. */
export function judge(attempt: Attempt, shape: Shape | undefined): Answer {
  switch (attempt.kind) {
    case 'lost':
      return writes('the connection was lost');
    case 'failed':
      return judgeFailure(attempt.sqlstate, shape);
    case 'ran': {
      const reasons = [...attempt.effects, ...(shape?.unseen ?? [])];
      return reasons.length > 0 ? writes(reasons.join('; ')) : { kind: 'harmless' };
    }
  }
}

function judgeFailure(sqlstate: string, shape: Shape | undefined): Answer {
  if (sqlstate === '25006') return writes('25006');
  if (sqlstate !== '42501') return { kind: 'fails', sqlstate };
  // A SELECT may be refused a table that it reads, whatever else it does; other statements are refused their effect.
  return shape?.reads === true ? { kind: 'unreadable' } : writes('42501');
}
