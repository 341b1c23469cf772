import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import { secretKey as kind } from '../config/value.ts';
import { secretKeyBytes } from '../shared/secret-box.ts';

/** The key for what is sealed in the control store, in base64: as it is configured, or of a file that only its owner may read. */
export async function secretKeyOf({
  secretKey,
  directory,
  api,
}: Config): Promise<string | undefined> {
  const known = secretKey ?? (await readKey(directory));
  // Without a control plane nothing is sealed here.
  return known ?? (api === undefined ? undefined : await makeKey(directory));
}

function pathIn(directory: string): string {
  return join(directory, 'secret-key');
}

async function readKey(directory: string): Promise<string | undefined> {
  const path = pathIn(directory);
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const key = kind.read(text.trim());
  if (key === undefined)
    throw new Error(`${path} is damaged: it must hold ${kind.expected}. Restore it from a backup.`);
  return key;
}

/** Whole or not at all, and the same for two who start at once. */
async function makeKey(directory: string): Promise<string> {
  const path = pathIn(directory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.writeFile(`${randomBytes(secretKeyBytes).toString('base64')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(draft, path);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return (await readKey(directory))!;
}
