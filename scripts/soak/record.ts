/** What a soak run has seen: statements, errors and whether they were to be expected, wrong answers. */

/** - `engine`: its connections of this proxy are cut, or its backends ended; - `restart`: old workers end their sessions; - `rotation`: the key has ended. */
export type Excuse = 'engine' | 'restart' | 'rotation';

/** Which errors an excuse covers. LOST: the connection ended without a word, as it must in the middle of a row. */
const covered: Readonly<Record<Excuse, readonly string[]>> = {
  engine: ['57P01', '08006', 'LOST'],
  restart: ['57P01', 'LOST'],
  rotation: ['28P01', 'LOST'],
};

/** A fault of postgres.js 3.4: a write that it has gathered when the connection ends throws where nobody can catch it. */
export function isDriverFault(error: unknown): boolean {
  const { message, stack } = error as Error;
  return (
    message.includes("reading 'write'") && stack?.includes('postgres/src/connection.js') === true
  );
}

/** Where a client is: what happens to one proxy is no excuse at the other. */
export interface Place {
  readonly name: string;
  readonly port: number;
  /** Until when. */
  readonly excuses: Map<Excuse, number>;
  /** Of this client, and not of others there. */
  readonly ownExcuses?: Map<Excuse, number>;
}

const mostTold = 40;

export class Books {
  statements = 0;
  connects = 0;
  /** By code, the expected ones among them. */
  readonly errors = new Map<string, number>();
  /** Wrong answers and unexpected errors: each is a failure of the run. */
  readonly faults: string[] = [];
  faultCount = 0;
  /** How often each kind of work was done once. */
  readonly works = new Map<string, number>();
  private readonly onFault: (text: string) => void;

  constructor(onFault: (text: string) => void) {
    this.onFault = onFault;
  }

  done(work: string): void {
    this.works.set(work, (this.works.get(work) ?? 0) + 1);
  }

  wrong(who: string, what: string): void {
    this.faultCount += 1;
    const line = `${new Date().toISOString()} ${who}: ${what}`;
    if (this.faults.length < mostTold) this.faults.push(line);
    this.onFault(line);
  }

  /** An error that nobody asked for. */
  failed(who: string, place: Place, error: unknown): void {
    const code = codeOf(error);
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1);
    const now = Date.now();
    const isExcused = [...place.excuses, ...(place.ownExcuses ?? [])].some(
      ([excuse, until]) => now < until && covered[excuse].includes(code),
    );
    if (!isExcused) this.wrong(who, `unexpected error at ${place.name}: ${describe(error)}`);
  }
}

export function codeOf(error: unknown): string {
  const { code, message = String(error) } = error as { code?: string; message?: string };
  if (code !== undefined && /^[0-9A-Z]{5}$/.test(code) && code !== 'EPIPE') return code;
  const isLost =
    /^(?:ECONNRESET|EPIPE|CONNECTION_CLOSED|CONNECTION_ENDED|CONNECTION_DESTROYED)$/.test(
      code ?? '',
    ) ||
    /Connection terminated|connection error and is not queryable|connection ended|Client was closed/.test(
      message,
    );
  return isLost ? 'LOST' : (code ?? 'OTHER');
}

export function describe(error: unknown): string {
  const { code, message, stack } = error as { code?: string; message?: string; stack?: string };
  const at =
    stack
      ?.split('\n')
      .find((line) => line.includes('/soak/'))
      ?.trim() ?? '';
  return `${code ?? ''} ${message ?? String(error)} ${at}`.trim();
}
