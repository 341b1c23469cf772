import type { Transaction } from 'kysely';
import type { ControlSchema } from '../../database/schema.ts';

export interface RefreshRow {
  readonly session_id: string;
  readonly expires_at: Date;
  readonly used_at: Date | null;
}

/** Locked: of two who come with it at once, the second one finds it used. */
export async function lockRefreshToken(
  tx: Transaction<ControlSchema>,
  hash: Buffer,
): Promise<RefreshRow | undefined> {
  return await tx
    .selectFrom('refresh_tokens')
    .select(['session_id', 'expires_at', 'used_at'])
    .where('token_hash', '=', hash)
    .forUpdate()
    .executeTakeFirst();
}

export async function markUsed(
  tx: Transaction<ControlSchema>,
  hash: Buffer,
  at: Date,
): Promise<void> {
  await tx
    .updateTable('refresh_tokens')
    .set({ used_at: at })
    .where('token_hash', '=', hash)
    .execute();
}

export async function insertRefreshToken(
  tx: Transaction<ControlSchema>,
  token: {
    readonly hash: Buffer;
    readonly sessionId: string;
    readonly issuedAt: Date;
    readonly expiresAt: Date;
  },
): Promise<void> {
  await tx
    .insertInto('refresh_tokens')
    .values({
      token_hash: token.hash,
      session_id: token.sessionId,
      issued_at: token.issuedAt,
      expires_at: token.expiresAt,
      used_at: null,
    })
    .execute();
}
