import { readNetwork } from '../shared/networks.ts';
import { secretKeyBytes } from '../shared/secret-box.ts';

/** How one value is read, whether it comes as TOML, as an environment variable's text or as a flag's. */
export interface ValueKind<T> {
  /** Ends the sentence "… is not". */
  readonly expected: string;
  /** `undefined` when it isn't such a value. */
  read(raw: unknown): T | undefined;
  /** How a refused value is shown; connection URLs must not show their password. */
  readonly isSecret?: boolean;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export const flag: ValueKind<boolean> = {
  expected: 'true or false',
  read: (raw) =>
    raw === true || raw === 'true' || raw === '1'
      ? true
      : raw === false || raw === 'false' || raw === '0'
        ? false
        : undefined,
};

export const text: ValueKind<string> = {
  expected: 'a text',
  read: (raw) => (typeof raw === 'string' && raw !== '' ? raw : undefined),
};

export function integer(from: number, to: number): ValueKind<number> {
  return {
    expected: `a whole number from ${from} to ${to}`,
    read: (raw) => {
      const value = typeof raw === 'string' && /^\d{1,15}$/.test(raw) ? Number(raw) : raw;
      return typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to
        ? value
        : undefined;
    },
  };
}

/** Left to the machine. */
export function orAuto<T>(kind: ValueKind<T>): ValueKind<T | 'auto'> {
  return {
    expected: `${kind.expected}, or "auto"`,
    read: (raw) => (raw === 'auto' ? raw : kind.read(raw)),
  };
}

export function oneOf<const T extends string>(choices: readonly T[]): ValueKind<T> {
  return {
    expected: `one of ${choices.join(', ')}`,
    read: (raw) => choices.find((choice) => choice === raw),
  };
}

export const port = integer(0, 65_535);

export const listenAddress: ValueKind<ListenAddress> = {
  expected: 'an address and a port, such as localhost:5439 or [::1]:5439',
  read: (raw) => {
    const match =
      typeof raw === 'string' ? /^(?:\[([\da-fA-F:.]+)\]|([^\s:[\]/]+)):(\d+)$/.exec(raw) : null;
    const host = match?.[1] ?? match?.[2];
    const number = port.read(match?.[3]);
    return host === undefined || number === undefined ? undefined : { host, port: number };
  },
};

/** Its credentials, if it has any, are not shown. */
export const httpUrl: ValueKind<string> = {
  expected: 'a URL such as http://localhost:4318',
  isSecret: true,
  read: (raw) =>
    typeof raw === 'string' && /^https?:\/\//.test(raw) && URL.canParse(raw) ? raw : undefined,
};

/** Of a mail server. */
export const smtpUrl: ValueKind<string> = {
  expected: 'a URL such as smtps://user:password@mail.example.com or smtp://localhost:25',
  isSecret: true,
  read: (raw) =>
    typeof raw === 'string' && /^smtps?:\/\/./.test(raw) && URL.canParse(raw) ? raw : undefined,
};

/** Alone, or with a name before it. */
export const emailAddress: ValueKind<string> = {
  expected: 'an address such as hatidata@example.com or HatiData <hatidata@example.com>',
  read: (raw) =>
    typeof raw === 'string' &&
    /^(?:[^\s@<>]+@[^\s@<>]+|[^@<>\p{Cc}]+ <[^\s@<>]+@[^\s@<>]+>)$/u.test(raw)
      ? raw
      : undefined,
};

export const postgresUrl: ValueKind<string> = {
  expected: 'a connection URL such as postgres://user@host:5432/database',
  isSecret: true,
  read: (raw) =>
    typeof raw === 'string' && /^postgres(?:ql)?:\/\//.test(raw) && URL.canParse(raw)
      ? raw
      : undefined,
};

/** For `SecretBox`. */
export const secretKey: ValueKind<string> = {
  expected: `${secretKeyBytes} random bytes in base64, such as \`openssl rand -base64 ${secretKeyBytes}\` prints`,
  isSecret: true,
  read: (raw) =>
    typeof raw === 'string' &&
    /^[A-Za-z0-9+/]+=*$/.test(raw) &&
    Buffer.from(raw, 'base64').length === secretKeyBytes
      ? raw
      : undefined,
};

/** Addresses and CIDRs, in the form of `readNetwork`. */
export const networks: ValueKind<readonly string[]> = {
  expected: 'a list of addresses and networks such as 10.0.0.0/8, with no bits behind the prefix',
  read: (raw) => {
    const list: unknown = typeof raw === 'string' ? raw.split(',').map((each) => each.trim()) : raw;
    if (!Array.isArray(list)) return undefined;
    const found = list.map((each) => (typeof each === 'string' ? readNetwork(each) : undefined));
    return found.every((each) => each !== undefined) ? found : undefined;
  },
};
