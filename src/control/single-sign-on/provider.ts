/** OpenID Connect as openid-client speaks it: https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth */
import { LRUCache } from 'lru-cache';
import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  ClientSecretBasic,
  ClientSecretPost,
  clockSkew,
  Configuration,
  customFetch,
  discovery,
  enableNonRepudiationChecks,
  fetchUserInfo,
  getJwksCache,
  setJwksCache,
  type ExportedJWKSCache,
  type ServerMetadata,
} from 'openid-client';
import type { Clock } from '../../shared/clock.ts';
import { guardedFetch, isEncrypted } from './guarded-fetch.ts';
import { faultOf, ProviderUnfit } from './provider-faults.ts';

/** What an organization has at its provider. */
export interface ProviderClient {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
}

/** Of one login. */
export interface LoginSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** Whom a provider has let in, as it says. */
export interface Claims {
  readonly subject: string;
  readonly email: unknown;
  readonly emailVerified: unknown;
  readonly name: unknown;
}

export interface ProvidersParts {
  /** `api.sso_private_issuers` */
  readonly allowsPrivate: boolean;
  readonly clock: Clock;
}

interface Known {
  readonly metadata: ServerMetadata;
  keys: ExportedJWKSCache | undefined;
}

const mostKnown = 200;
const knownMs = 10 * 60_000;
/** For one request to a provider. */
const timeoutSeconds = 10;
const scope = 'openid email profile';

/** The providers of all organizations. What they say of themselves is remembered for a while. */
export class Providers {
  private readonly parts: ProvidersParts;
  private readonly fetch;
  private readonly known: LRUCache<string, Known>;

  constructor(parts: ProvidersParts) {
    this.parts = parts;
    this.fetch = guardedFetch(parts.allowsPrivate);
    const perf = { now: () => parts.clock().getTime() };
    this.known = new LRUCache({ max: mostKnown, ttl: knownMs, ttlResolution: 0, perf });
  }

  /** Asks it anew. Throws `ProviderUnfit` for what is no provider that we could use. @returns the issuer as its tokens have it */
  async check(issuer: string): Promise<string> {
    try {
      return (await this.discover(issuer)).metadata.issuer;
    } catch (error) {
      if (error instanceof ProviderUnfit) throw error;
      throw new ProviderUnfit('no OpenID Connect configuration can be read there', error);
    }
  }

  /** Where the browser goes. Throws `sso_provider_away`. */
  async authorizationUrl(
    client: ProviderClient,
    redirectUri: string,
    { state, nonce, verifier }: LoginSecrets,
  ): Promise<string> {
    return await orFault(client, async () => {
      const { configuration } = await this.configurationOf(client);
      return buildAuthorizationUrl(configuration, {
        scope,
        redirect_uri: redirectUri,
        state,
        nonce,
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).href;
    });
  }

  /**
   * Exchanges the code and checks what comes: signature, issuer (of the token, and of the answer: RFC 9207), audience, times, nonce.
   * @param answer the callback's address with all that the provider gave it
   * Throws `sso_provider_away`, `sso_failed`.
   */
  async identify(client: ProviderClient, answer: URL, secrets: LoginSecrets): Promise<Claims> {
    return await orFault(client, async () => {
      const { configuration, known } = await this.configurationOf(client);
      const tokens = await authorizationCodeGrant(configuration, answer, {
        expectedState: secrets.state,
        expectedNonce: secrets.nonce,
        pkceCodeVerifier: secrets.verifier,
        idTokenExpected: true,
      });
      known.keys = getJwksCache(configuration);
      const token = tokens.claims()!;
      // Many give the address only where it is asked for.
      const isElsewhere = token['email'] === undefined && known.metadata.userinfo_endpoint;
      const claims = isElsewhere
        ? await fetchUserInfo(configuration, tokens.access_token, token.sub)
        : token;
      const { email, email_verified: emailVerified, name } = claims;
      return { subject: token.sub, email, emailVerified, name };
    });
  }

  private async configurationOf({ issuer, clientId, clientSecret }: ProviderClient) {
    const known = this.known.get(issuer) ?? (await this.discover(issuer));
    const { metadata, keys } = known;
    const skew = Math.round((this.parts.clock().getTime() - Date.now()) / 1_000);
    const configuration = new Configuration(
      metadata,
      clientId,
      { [clockSkew]: skew },
      takesBasic(metadata) ? ClientSecretBasic(clientSecret) : ClientSecretPost(clientSecret),
    );
    configuration[customFetch] = this.fetch;
    configuration.timeout = timeoutSeconds;
    if (this.isInsecure(issuer)) allowInsecureRequests(configuration);
    // Not only where the token came from counts, but who has signed it.
    enableNonRepudiationChecks(configuration);
    if (keys !== undefined) setJwksCache(configuration, keys);
    return { configuration, known };
  }

  private async discover(issuer: string): Promise<Known> {
    const url = new URL(issuer);
    const found = await discovery(url, 'hatidata', undefined, undefined, {
      [customFetch]: this.fetch,
      timeout: timeoutSeconds,
      execute: this.isInsecure(issuer) ? [allowInsecureRequests] : [],
    });
    const metadata = found.serverMetadata();
    this.refuseUnfit(url, metadata);
    const known: Known = { metadata, keys: undefined };
    this.known.set(metadata.issuer, known);
    return known;
  }

  private isInsecure(issuer: string): boolean {
    return this.parts.allowsPrivate && issuer.startsWith('http:');
  }

  private refuseUnfit(url: URL, metadata: ServerMetadata): void {
    // Some answer for all of their tenants (Entra's "common"), whose administrators may say what they like.
    if (new URL(metadata.issuer).href !== url.href)
      throw new ProviderUnfit(
        'its issuer has another name there; give the one of your own tenant, not a common one',
      );
    const { authorization_endpoint, token_endpoint, jwks_uri, userinfo_endpoint } = metadata;
    const needed = { authorization_endpoint, token_endpoint, jwks_uri };
    for (const [name, value] of Object.entries({ ...needed, userinfo_endpoint })) {
      if (value === undefined && name in needed) throw new ProviderUnfit(`it names no ${name}`);
      if (value !== undefined && !this.isReachable(value))
        throw new ProviderUnfit(`its ${name} is not an https address`);
    }
  }

  private isReachable(text: string): boolean {
    if (!URL.canParse(text)) return false;
    const url = new URL(text);
    return url.protocol === 'https:' || (this.parts.allowsPrivate && isEncrypted(url));
  }
}

function takesBasic({ token_endpoint_auth_methods_supported: methods }: ServerMetadata): boolean {
  return methods?.includes('client_secret_basic') ?? true;
}

async function orFault<T>({ issuer }: ProviderClient, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw faultOf(error, issuer);
  }
}
