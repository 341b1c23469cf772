import { randomBytes } from 'node:crypto';
import { open, readFile, rename } from 'node:fs/promises';
import { EmbeddedServerError, errnoOf } from './error.ts';

/** Who may log in to the embedded server. `superuser` is for our own start-up alone. */
export type EmbeddedRole = 'reader' | 'writer' | 'control' | 'superuser';

export type Secrets = Readonly<Record<EmbeddedRole, string>>;

export const roleNames: Readonly<Record<EmbeddedRole, string>> = {
  reader: 'hatidata_reader',
  writer: 'hatidata_writer',
  control: 'hatidata_control',
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
  if (stored !== undefined) return { secrets: stored, isNew: false };
  const secrets: Secrets = {
    reader: randomPassword(),
    writer: randomPassword(),
    control: randomPassword(),
    superuser: randomPassword(),
  };
  await writeSecrets(path, secrets);
  return { secrets, isNew: true };
}

function randomPassword(): string {
  return randomBytes(32).toString('base64url');
}

async function readSecrets(path: string): Promise<Secrets | undefined> {
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

function parseSecrets(text: string): Secrets | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { reader, writer, control, superuser } = (value ?? {}) as Record<string, unknown>;
  const isPassword = (item: unknown): item is string => typeof item === 'string' && item !== '';
  if (![reader, writer, control, superuser].every(isPassword)) return undefined;
  return { reader, writer, control, superuser } as Secrets;
}

async function writeSecrets(path: string, secrets: Secrets): Promise<void> {
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
