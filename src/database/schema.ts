import type { ColumnType, Generated } from 'kysely';

/** The tables of the control store as Kysely sees them; the truth is in `migrations/`. */
export interface ControlSchema {
  api_keys: {
    key_id: string;
    agent_id: string;
    /** A bundle, or scopes separated by commas. */
    scope: string;
    /** JSON, see `policy/limits.ts`. */
    limits: string | null;
    description: string;
    created_at: Generated<Date>;
    revoked_at: Date | null;
    last_used_at: Date | null;
  };
  api_key_secrets: {
    secret_id: string;
    key_id: string;
    prefix: string;
    hash: string;
    issued_at: Generated<Date>;
    ended_at: Date | null;
  };
  iam_audit: {
    sequence: Generated<string>;
    at: Generated<Date>;
    action: string;
    actor: string;
    actor_key_id: string | null;
    source: string;
    target: string | null;
    detail: ColumnType<unknown, string | undefined, never>;
  };
  instances: {
    number: number;
    renewed_at: Date;
  };
  shared_secrets: {
    name: string;
    value: Buffer;
  };
}
