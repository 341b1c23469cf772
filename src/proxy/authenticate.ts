import { HatiError } from '../errors.ts';
import { adminAuthority } from '../policy/authority.ts';
import type { KeyDirectory, LoginSink, Principal } from '../ports.ts';

/**
 * The spelling of "no key" for clients whose library refuses to send nothing: libpq gives up by itself when a server
 * asks for a password and none is known, and asking is the only way to see a key.
 */
export const noKeyPassword = 'hd_local';

export interface Attempt {
  readonly password: string;
  readonly peer: { readonly address: string; readonly isLoopback: boolean };
  readonly claimedAgent: string | undefined;
  readonly applicationName: string | undefined;
  readonly certificate: string | undefined;
}

export interface AuthenticationParts {
  readonly keys: KeyDirectory;
  readonly logins: LoginSink;
  /** Loopback clients without a key are the local administrator. Start-up makes sure that all listeners are loopback. */
  readonly devMode: boolean;
}

const localAdministrator = 'local-administrator';

/** @returns who it is; throws `invalid_api_key`, with one text for every reason. */
export async function authenticate(
  attempt: Attempt,
  parts: AuthenticationParts,
): Promise<Principal> {
  const principal = await recognise(attempt, parts);
  parts.logins.record({
    outcome: principal === undefined ? 'refused' : 'accepted',
    principal,
    source: attempt.peer.address,
    claimedAgent: attempt.claimedAgent,
    applicationName: attempt.applicationName,
    certificate: attempt.certificate,
  });
  if (principal === undefined) throw new HatiError('invalid_api_key');
  return principal;
}

function recognise(
  { password, peer, claimedAgent }: Attempt,
  { devMode, keys }: AuthenticationParts,
): Promise<Principal | undefined> {
  if (devMode && peer.isLoopback && (password === '' || password === noKeyPassword)) {
    return Promise.resolve({
      kind: 'localAdministrator',
      agent: claimedAgent ?? localAdministrator,
      authority: adminAuthority,
    });
  }
  return keys.verify(password, peer.address);
}
