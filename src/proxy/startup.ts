import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { HatiError } from '../errors.ts';
import {
  authenticationCleartextPassword,
  negotiateProtocolVersion,
} from '../wire/backend-messages.ts';
import { decodePassword } from '../wire/decode.ts';
import { Frontend } from '../wire/protocol.ts';
import type { CancelKey } from '../ports.ts';
import { parseStartupOptions } from '../wire/startup-options.ts';
import type { StartupMessage } from '../wire/startup-packet.ts';
import { certificateOf, type ClientCertificate, type ListenerTls } from './client-certificate.ts';
import { ClientGone, HandshakeReader } from './handshake-reader.ts';
import { SessionParameters } from './session-parameters.ts';

/**
 * The client's side of a handshake, up to its password.
 * Source: https://www.postgresql.org/docs/18/protocol-flow.html#PROTOCOL-FLOW-START-UP
 */

export interface Startup {
  readonly kind: 'startup';
  /** The TLS socket where the client asked for TLS. */
  readonly socket: Socket;
  readonly reader: HandshakeReader;
  readonly encrypted: boolean;
  readonly certificate: ClientCertificate | undefined;
  /** Our parameters; `applicationName` and `settings` are for the engine. */
  readonly parameters: SessionParameters;
  readonly applicationName: string | undefined;
  readonly settings: readonly (readonly [name: string, value: string])[];
  /** BackendKeyData carries this many secret bytes. */
  readonly cancelSecretBytes: 4 | 32;
}

export type FirstWords = Startup | { readonly kind: 'cancel'; readonly key: CancelKey };

/** The newest minor version of protocol 3 that we speak. */
const newestMinor = 2;

/**
 * Reads the packets before the password. Throws HatiError for what must be refused, ClientGone when nobody is left.
 * @param onUpgrade told as soon as a TLS socket has taken the connection over: from then on it alone may be written to.
 */
export async function readFirstWords(
  connection: Socket,
  tls: ListenerTls | undefined,
  onUpgrade: (secure: Socket) => void,
): Promise<FirstWords> {
  let socket = connection;
  let reader = new HandshakeReader(socket);
  let encrypted = false;
  let certificate: ClientCertificate | undefined;
  let refusedGss = false;
  const encrypt = async (context: ListenerTls): Promise<TLSSocket> => {
    const secure = await upgrade(socket, context, onUpgrade);
    socket = secure;
    reader = new HandshakeReader(socket);
    encrypted = true;
    certificate = certificateOf(secure);
    return secure;
  };
  if ((await reader.firstByte()) === tlsHandshake) {
    // Whatever we said, it would not be taken for TLS.
    if (tls === undefined) throw new ClientGone();
    reader.unread();
    const { alpnProtocol } = await encrypt(tls);
    // Else a client of another protocol could be led here (ALPACA).
    if (alpnProtocol !== applicationProtocol) throw withoutAlpn();
  }
  for (;;) {
    const packet = await reader.startupPacket();
    switch (packet.kind) {
      case 'cancel':
        return { kind: 'cancel', key: packet };
      case 'gssRequest':
        if (refusedGss || encrypted) throw outOfOrder();
        refusedGss = true;
        socket.write('N');
        break;
      case 'sslRequest':
        if (encrypted) throw outOfOrder();
        if (tls === undefined) {
          socket.write('N');
          break;
        }
        // Bytes sent before the handshake could have been put there by somebody in between (CVE-2021-23214).
        if (reader.rest.length > 0) throw outOfOrder();
        socket.write('S');
        await encrypt(tls);
        break;
      case 'startup':
        return { ...readStartup(packet, socket), reader, encrypted, certificate };
    }
  }
}

/** The first byte of a TLS handshake; a startup packet begins with the length of at most 10,000 bytes. */
const tlsHandshake = 0x16;
const applicationProtocol = 'postgresql';

/** Asks for the password and reads it. */
export async function readPassword({ socket, reader }: Startup): Promise<string> {
  socket.write(authenticationCleartextPassword);
  const message = await reader.message();
  if (message.type !== Frontend.Password) {
    throw new HatiError('protocol_violation', { params: { reason: 'expected a password' } });
  }
  return decodePassword(message.raw);
}

function upgrade(
  socket: Socket,
  { context, clientCertificates }: ListenerTls,
  onUpgrade: (secure: Socket) => void,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = new TLSSocket(socket, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: [applicationProtocol],
      requestCert: clientCertificates !== undefined,
      rejectUnauthorized: false,
    });
    onUpgrade(secure);
    secure.once('secure', () => resolve(secure));
    // A handshake that fails leaves nobody who could read a reason; later failures end in 'close' as well.
    secure.on('error', () => reject(new ClientGone()));
    secure.once('close', () => reject(new ClientGone()));
  });
}

function readStartup(
  { minor, parameters: given }: StartupMessage,
  socket: Socket,
): Omit<Startup, 'reader' | 'encrypted' | 'certificate'> {
  const unknownOptions = [...given.keys()].filter((name) => name.startsWith('_pq_.'));
  if (minor > newestMinor || unknownOptions.length > 0) {
    socket.write(negotiateProtocolVersion(Math.min(minor, newestMinor), unknownOptions));
  }
  if (isReplication(given.get('replication'))) {
    throw new HatiError('feature_not_supported', {
      params: { feature: 'a replication connection' },
    });
  }
  const parameters = new SessionParameters();
  const settings: [string, string][] = [];
  let applicationName: string | undefined;
  const all = [...parseStartupOptions(given.get('options') ?? ''), ...given];
  for (const [name, value] of all) {
    if (!settingName.test(name)) {
      throw new HatiError('startup_parameter_refused', {
        params: { parameter: JSON.stringify(name) },
      });
    }
    const own = SessionParameters.ownStartupName(name);
    if (own !== undefined) parameters.set(own, value);
    else if (name.toLowerCase() === 'application_name') applicationName = value;
    else if (!notSettings.has(name) && !name.startsWith('_pq_.'))
      settings.push([name.toLowerCase(), value]);
  }
  return {
    kind: 'startup',
    socket,
    parameters,
    applicationName,
    settings,
    cancelSecretBytes: minor >= 2 ? 32 : 4,
  };
}

/**
 * Names that settings can have. Anything else could be more than a name where it is put into `options` for the engine.
 * `_pq_.` options are names of the same kind.
 */
const settingName = /^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)*$/i;

/** Startup parameters that are not settings. The user and the database say nothing: the key decides both. */
const notSettings: ReadonlySet<string> = new Set(['user', 'database', 'options', 'replication']);

function isReplication(value: string | undefined): boolean {
  return (
    value !== undefined && !['false', 'off', 'no', '0', 'f', 'n'].includes(value.toLowerCase())
  );
}

function withoutAlpn(): HatiError {
  return new HatiError('protocol_violation', {
    params: { reason: `TLS without SSLRequest needs the ALPN protocol "${applicationProtocol}"` },
  });
}

function outOfOrder(): HatiError {
  return new HatiError('protocol_violation', {
    params: { reason: 'unexpected bytes before authentication' },
  });
}
