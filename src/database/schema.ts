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
    env_id: string;
    /** A user's or key's id, or the name of what else made it. */
    created_by: string;
    revoked_by: Generated<string | null>;
    expires_at: Date | null;
    /** CIDRs; none: from anywhere. */
    ip_allowlist: Generated<string[]>;
    /** As they were given over REST; null: as in `scope`. */
    given_scopes: string[] | null;
    version: Generated<number>;
    rotate_every_days: number | null;
    next_rotation_at: Date | null;
    /** `key.expiring` was sent. */
    expiry_told_at: Generated<Date | null>;
    /** Its secrets were ended when its time was over. */
    expired_at: Generated<Date | null>;
  };
  api_key_secrets: {
    secret_id: string;
    key_id: string;
    prefix: string;
    hash: string;
    issued_at: Generated<Date>;
    ended_at: Date | null;
    /** Of one that was replaced and goes on for a while. */
    expires_at: Date | null;
    /** A user's id; of a key that acted, the id of the secret that it showed; or the name of what else it was. */
    given_to: Generated<string>;
    expiry_told_at: Generated<Date | null>;
  };
  uncollected_secrets: {
    key_id: string;
    secret_id: string;
    /** For `uncollected:<secret_id>`. */
    sealed: Buffer;
    created_at: Date;
  };
  webhooks: {
    webhook_id: string;
    org_id: string;
    url: string;
    description: string;
    events: string[];
    status: Generated<'active' | 'disabled' | 'deleted'>;
    /** Sealed for `webhook:<webhook_id>`, like the previous one. */
    secret: Buffer;
    previous_secret: Generated<Buffer | null>;
    previous_secret_until: Generated<Date | null>;
    failure_count: Generated<number>;
    failing_since: Generated<Date | null>;
    last_delivered_at: Generated<Date | null>;
    last_status_code: Generated<number | null>;
    version: Generated<number>;
    created_at: Date;
    created_by: string;
    updated_at: Date;
  };
  events: {
    event_id: string;
    type: string;
    org_id: string;
    env_id: string | null;
    body: string;
    created_at: Date;
  };
  deliveries: {
    delivery_id: Generated<string>;
    webhook_id: string;
    event_id: string;
    position: Generated<string>;
    state: Generated<'pending' | 'delivered' | 'failed'>;
    attempt: Generated<number>;
    next_at: Date;
    leased_until: Generated<Date | null>;
    attempted_at: Generated<Date | null>;
    status_code: Generated<number | null>;
    error: Generated<string | null>;
    duration_ms: Generated<number | null>;
    delivered_at: Generated<Date | null>;
    created_at: Date;
  };
  iam_audit: {
    sequence: Generated<string>;
    at: Generated<Date>;
    action: string;
    actor: string;
    actor_key_id: string | null;
    source: string;
    target: string | null;
    org_id: string | null;
    env_id: string | null;
    request_id: string | null;
    detail: ColumnType<unknown, string | undefined, never>;
  };
  organizations: {
    org_id: string;
    name: string;
    slug: string;
    billing_email: string;
    cloud_region: string;
    tier: 'free' | 'cloud' | 'growth' | 'enterprise';
    status: 'active' | 'suspended' | 'deleted';
    mfa_required: boolean;
    enforce_sso: boolean;
    version: Generated<number>;
    created_at: Generated<Date>;
    updated_at: Generated<Date>;
  };
  users: {
    user_id: string;
    email: string;
    name: string;
    password_hash: string | null;
    /** Sealed for `totp:<user_id>`. */
    totp_secret: Buffer | null;
    totp_confirmed_at: Date | null;
    /** Of the last code that was taken; a bigint, so a text. */
    totp_last_step: ColumnType<string | null, number | null | undefined, number | null>;
    created_at: Generated<Date>;
    last_login_at: Date | null;
    /** Where single sign-on has made the account: good there alone. */
    home_org_id: Generated<string | null>;
  };
  memberships: {
    org_id: string;
    user_id: string;
    /** One of `api/permissions.ts`; the table checks it. */
    role: string;
    status: 'active' | 'invited' | 'suspended';
    invitation_hash: Buffer | null;
    invitation_expires_at: Date | null;
    /** As whoever invited wrote it; users name themselves. */
    invited_name: Generated<string>;
    version: Generated<number>;
    created_at: Generated<Date>;
  };
  environments: {
    env_id: string;
    org_id: string;
    name: string;
    slug: string;
    kind: 'production' | 'staging' | 'development';
    status: 'provisioning' | 'active' | 'archived';
    /** Its engine is that of the configuration. */
    is_first: Generated<boolean>;
    engine: 'configured' | 'embedded' | 'url';
    /** Sealed for `engine:<env_id>`. */
    engine_url: Buffer | null;
    /** Sealed for `engine-reader:<env_id>`. */
    engine_reader_url: Buffer | null;
    /** 0: as the server is configured. */
    query_timeout_ms: Generated<number>;
    /** The same. */
    max_concurrent_queries: Generated<number>;
    cache_enabled: Generated<boolean>;
    fast_lane: Generated<boolean>;
    version: Generated<number>;
    created_at: Generated<Date>;
    updated_at: Generated<Date>;
  };
  idempotent_calls: {
    caller: string;
    idempotency_key: string;
    request_hash: Buffer;
    /** Sealed for `answer:<caller>:<key>`. */
    answer: Buffer;
    created_at: Date;
  };
  signing_keys: {
    kid: string;
    public_jwk: ColumnType<unknown, string, never>;
    /** Sealed for `signing_key:<kid>`. */
    private_jwk: Buffer;
    created_at: Date;
    retired_at: Date | null;
  };
  auth_sessions: {
    session_id: string;
    user_id: string;
    org_id: string;
    created_at: Date;
    ends_at: Date;
    ended_at: Date | null;
    end_reason: string | null;
    has_second_factor: boolean;
    source: string;
    user_agent: string | null;
    method: 'password' | 'sso';
  };
  single_sign_on: {
    org_id: string;
    provider: string;
    issuer: string;
    client_id: string;
    /** Sealed for `sso:<org_id>`. */
    client_secret: Buffer;
    email_domains: string[];
    default_role: 'developer' | 'analyst' | 'auditor' | null;
    version: Generated<number>;
    created_at: Date;
    updated_at: Date;
    updated_by: string;
  };
  sso_logins: {
    state_hash: Buffer;
    browser_hash: Buffer;
    org_id: string;
    redirect_uri: string | null;
    code_challenge: string | null;
    client_state: string | null;
    expires_at: Date;
  };
  sso_codes: {
    code_hash: Buffer;
    org_id: string;
    user_id: string;
    code_challenge: string;
    expires_at: Date;
  };
  sso_identities: {
    org_id: string;
    issuer: string;
    subject: string;
    user_id: string;
    created_at: Date;
  };
  password_resets: {
    /** SHA-256. */
    token_hash: Buffer;
    account: Buffer;
    user_id: string | null;
    created_at: Date;
    expires_at: Date;
  };
  recovery_codes: {
    user_id: string;
    /** SHA-256. */
    code_hash: Buffer;
  };
  refresh_tokens: {
    token_hash: Buffer;
    session_id: string;
    issued_at: Date;
    expires_at: Date;
    used_at: Date | null;
  };
  login_attempts: {
    attempt_id: string;
    account: Buffer;
    network: string;
    at: Date;
  };
  login_networks: {
    account: Buffer;
    network: string;
    last_at: Date;
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
