import { HatiError } from '../errors.ts';
import { adminAuthority } from '../policy/authority.ts';
import { allowsAddress } from '../shared/networks.ts';
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

/** @returns who it is; throws `invalid_api_key`, with one text for every reason, and `address_not_allowed` for keys that are good. */
export async function authenticate(
  attempt: Attempt,
  parts: AuthenticationParts,
): Promise<Principal> {
  const principal = await recognise(attempt, parts);
  const { address } = attempt.peer;
  const isElsewhere = principal?.kind === 'key' && !allowsAddress(principal.networks, address);
  parts.logins.record({
    outcome: principal === undefined || isElsewhere ? 'refused' : 'accepted',
    principal,
    source: address,
    claimedAgent: attempt.claimedAgent,
    applicationName: attempt.applicationName,
    certificate: attempt.certificate,
  });
  if (principal === undefined) throw new HatiError('invalid_api_key');
  if (isElsewhere) throw new HatiError('address_not_allowed', { params: { address } });
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
