import { HatiError } from '../../errors.ts';
import type { KeyHasher } from '../keys/hasher.ts';

/** What users choose. Argon2id, shared out by source like that of keys. */
export class Passwords {
  private readonly hasher: KeyHasher;

  constructor(hasher: KeyHasher) {
    this.hasher = hasher;
  }

  hash(password: string): Promise<string> {
    return this.hasher.hash(normal(password));
  }

  /** @param hash none where there is no such user, or he has no password: it takes as long. */
  verify(hash: string | null | undefined, password: string, network: string): Promise<boolean> {
    return this.hasher.verify(hash ?? undefined, normal(password), network);
  }
}

/** One keyboard sends an accented letter as one character, another as two. */
function normal(password: string): string {
  return password.normalize('NFKC');
}

/** Throws `request_invalid`. Its length is for `api/fields.ts`. */
export function refuseUnfitPassword(password: string, email: string, field: string): void {
  if (password.toLowerCase() !== email.toLowerCase()) return;
  throw new HatiError('request_invalid', {
    params: { message: `${field}: must not be the email address` },
    details: { field, constraint: 'not_email' },
  });
}
