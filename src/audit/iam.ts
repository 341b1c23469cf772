import type { Insertable, Kysely } from 'kysely';
import type { ControlSchema } from '../database/schema.ts';

/** Acts over REST, and by the command line on the server. */
export const actNames = [
  'organization.created',
  'organization.updated',
  'organization.deleted',
  'organization.transferred',
  'environment.created',
  'environment.updated',
  'environment.archived',
  'environment.promoted',
  'user.created',
  'user.invited',
  'user.joined',
  'user.role_changed',
  'user.suspended',
  'user.resumed',
  'user.removed',
  'user.password_changed',
  'user.totp_enabled',
  'user.totp_disabled',
  'user.password_reset_asked',
  'user.password_reset',
  'user.recovery_code_used',
  'user.recovery_codes_replaced',
  'session.started',
  'session.refused',
  'session.ended',
  'session.reused',
  'signing_key.created',
  'sso.configured',
  'sso.linked',
  'webhook.created',
  'webhook.updated',
  'webhook.deleted',
  'webhook.secret_rotated',
  'webhook.disabled',
  'webhook.tested',
  'webhook.redelivered',
  'key.updated',
  'key.secret_collected',
  'key.expired',
] as const;

export type ActName = (typeof actNames)[number];

/** One administrative act or login, as it is written to `hatidata.iam_audit`. Never holds a secret. */
export interface IamRecord {
  readonly action:
    | 'key.created'
    | 'key.rotated'
    | 'key.revoked'
    | 'login.accepted'
    | 'login.refused'
    | 'login.unrecorded'
    | ActName;
  readonly actor: string;
  readonly actorKeyId: string | null;
  /** Address that the act came from. */
  readonly source: string;
  readonly target: string | null;
  /** Where it was done; null for what is the server's. */
  readonly orgId?: string | null;
  readonly envId?: string | null;
  /** Of the HTTP request. */
  readonly requestId?: string | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** Appends within the transaction of the act itself when `db` is a transaction. */
export async function appendIamRecords(
  db: Kysely<ControlSchema>,
  records: readonly IamRecord[],
): Promise<void> {
  const rows: Insertable<ControlSchema['iam_audit']>[] = records.map((record) => ({
    action: record.action,
    actor: record.actor,
    actor_key_id: record.actorKeyId,
    source: record.source,
    target: record.target,
    org_id: record.orgId ?? null,
    env_id: record.envId ?? null,
    request_id: record.requestId ?? null,
    detail: JSON.stringify(record.detail),
  }));
  await db.insertInto('iam_audit').values(rows).execute();
}
