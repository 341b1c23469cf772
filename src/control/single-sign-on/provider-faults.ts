import { AuthorizationResponseError, ClientError, ResponseBodyError } from 'openid-client';
import { HatiError } from '../../errors.ts';
import { ProviderAway } from './guarded-fetch.ts';

/** Not one that could be used. The message is for who configures it. */
export class ProviderUnfit extends Error {
  constructor(message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'ProviderUnfit';
  }
}

/** Answers that are none of a provider: its proxy's error page, a timeout, a redirect. */
const noAnswers: ReadonlySet<string> = new Set([
  'OAUTH_TIMEOUT',
  'OAUTH_ABORT',
  'OAUTH_RESPONSE_IS_NOT_CONFORM',
  'OAUTH_RESPONSE_IS_NOT_JSON',
  'OAUTH_PARSE_ERROR',
]);

/** What went wrong with a provider, for who logs in. What it is not for stays what it is. */
export function faultOf(error: unknown, issuer: string): unknown {
  if (isAway(error)) {
    const provider = new URL(issuer).host;
    return new HatiError('sso_provider_away', { params: { provider }, cause: error });
  }
  // By the browser, or by its token endpoint.
  if (error instanceof AuthorizationResponseError || error instanceof ResponseBodyError)
    return failed(`it answered ${shown(error.error)}`, error);
  if (!(error instanceof ClientError)) return error;
  switch (error.code) {
    case 'OAUTH_JWT_TIMESTAMP_CHECK_FAILED':
      return failed('what it sent is of another time; the clocks may differ', error);
    case 'OAUTH_JWT_CLAIM_COMPARISON_FAILED':
      return failed('what it sent belongs to another login', error);
    default:
      return failed('what it sent is not valid', error);
  }
}

function isAway(error: unknown): boolean {
  if (error instanceof ProviderAway || error instanceof ProviderUnfit) return true;
  if (!(error instanceof Error)) return false;
  if (error instanceof ClientError && noAnswers.has(error.code ?? '')) return true;
  return isAway(error.cause);
}

function failed(message: string, cause: unknown): HatiError {
  return new HatiError('sso_failed', { params: { message }, cause });
}

/** It came from elsewhere. */
function shown(code: string): string {
  return /^[a-z_]{1,60}$/.test(code) ? code : 'an error';
}
