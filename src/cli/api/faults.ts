import type { ErrorEnvelope } from '../../api/envelope.ts';
import { CommandError } from '../context.ts';
import { printable } from '../table.ts';
import type { HttpAnswer, Server } from './http.ts';

/** What the server refused, in its own words. */
export class ApiFault extends CommandError {
  readonly status: number;
  /** Its name in docs/errors.md. */
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message, { exitCode: status === 400 ? 2 : 1 });
    this.name = 'ApiFault';
    this.status = status;
    this.reason = reason;
  }
}

const logInAgain = 'Log in with `hati login`, or give an API key as HATIDATA_API_KEY.';

/** Where the server's hint is for those who write requests. */
const hints: Readonly<Record<string, string>> = {
  credential_missing: logInAgain,
  credential_invalid: logInAgain,
  refresh_refused: logInAgain,
  second_factor_missing: 'Give its code: hati login --code 123456',
  sso_required: 'Log in with `hati login --sso --org <slug>`.',
  not_for_keys: 'Log in with `hati login`, and unset HATIDATA_API_KEY.',
  owner_by_transfer: '`hati orgs transfer` is for its owner.',
  user_is_member: '`hati users resend` sends an invitation again.',
  version_changed: 'Look at it again, and repeat the command.',
};

export function faultOf(server: Server, { status, body }: HttpAnswer): CommandError {
  const error = (body as Partial<ErrorEnvelope> | null | undefined)?.error;
  if (typeof error?.message !== 'string') {
    return new CommandError(
      `${server.url} answered ${status}, and not as a HatiData control plane does; is the URL right?`,
    );
  }
  const { reason, hint } = (error.details ?? {}) as { reason?: unknown; hint?: unknown };
  const name = typeof reason === 'string' ? reason : '';
  const said = hints[name] ?? (typeof hint === 'string' ? hint : undefined);
  // What another machine wrote must not steer the terminal.
  const lines = [error.message, ...(said === undefined ? [] : [said])].map(printable);
  return new ApiFault(status, name, lines.join('\n  '));
}
