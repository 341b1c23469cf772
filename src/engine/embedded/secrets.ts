import { createHash, randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { systemRole } from '../../database/system-role.ts';
import { engineRoles } from '../roles.ts';
import { EmbeddedServerError, errnoOf } from './error.ts';

/** Who may log in to the embedded server. `superuser` is for our own start-up alone. */
export type EmbeddedRole = 'reader' | 'writer' | 'control' | 'system' | 'superuser';

export type Secrets = Readonly<Record<EmbeddedRole, string>>;

export const roleNames: Readonly<Record<EmbeddedRole, string>> = {
  ...engineRoles,
  control: 'hatidata_control',
  system: systemRole,
  superuser: 'hatidata_superuser',
};

export interface StoredSecrets {
  readonly secrets: Secrets;
  /** They were made just now: a cluster that exists already does not know them. */
  readonly isNew: boolean;
}

/** The passwords of the roles, made on first use, in a file that only its owner may read. */
export async function loadSecrets(path: string): Promise<StoredSecrets> {
  const stored = await readSecrets(path);
  if (stored !== undefined) return { secrets: withSystem(stored), isNew: false };
  const secrets: StoredPasswords = {
    reader: randomPassword(),
    writer: randomPassword(),
    control: randomPassword(),
    superuser: randomPassword(),
  };
  await writeSecrets(path, secrets);
  return { secrets: withSystem(secrets), isNew: true };
}

/** What the file holds. */
type StoredPasswords = Omit<Secrets, 'system'>;

/** Whoever knows the control role's password may know this one; so it is derived, and the file stays as it was. */
function withSystem(stored: StoredPasswords): Secrets {
  const system = createHash('sha256').update(`system ${stored.control}`).digest('base64url');
  return { ...stored, system };
}

function randomPassword(): string {
  return randomBytes(32).toString('base64url');
}

async function readSecrets(path: string): Promise<StoredPasswords | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new EmbeddedServerError(
      `${path} cannot be read (${errnoOf(error)}). It holds the passwords of the embedded server and must belong to you.`,
    );
  }
  const secrets = parseSecrets(text);
  if (secrets === undefined) {
    throw new EmbeddedServerError(
      `${path} is damaged. Delete it and start again: new passwords will be made and set, the data stay.`,
    );
  }
  return secrets;
}

function parseSecrets(text: string): StoredPasswords | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { reader, writer, control, superuser } = (value ?? {}) as Record<string, unknown>;
  const isPassword = (item: unknown): item is string => typeof item === 'string' && item !== '';
  if (![reader, writer, control, superuser].every(isPassword)) return undefined;
  return { reader, writer, control, superuser } as StoredPasswords;
}

async function writeSecrets(path: string, secrets: StoredPasswords): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(`${JSON.stringify(secrets, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
