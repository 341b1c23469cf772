import { HatiError } from '../../errors.ts';
import { newId, randomCharacters } from '../../shared/ids.ts';
import { hostOf, isLoopbackName, refuseLiteral, TargetRefused } from './targets.ts';

export function newWebhookId(): string {
  return newId('wh_');
}

export function newSigningSecret(): string {
  return `whsec_${randomCharacters(40)}`;
}

/** What the secrets of a webhook are sealed for. */
export function secretPurpose(webhookId: string): string {
  return `webhook:${webhookId}`;
}

/**
 * A URL as it is stored. Names are looked up when something is sent; only what can never work is refused here.
 * @param allowsPrivate `api.webhook_private_targets`
 */
export function checkedUrl(text: string, allowsPrivate: boolean): string {
  const url = new URL(text);
  const isLoopback = isLoopbackName(hostOf(url));
  if (url.username !== '' || url.password !== '')
    throw badUrl('credentials', 'must not have a user or a password');
  if (url.hash !== '') throw badUrl('fragment', 'must not have a fragment');
  if (url.protocol !== 'https:' && !isLoopback)
    throw badUrl('https', 'must be https, but for targets on this machine');
  if (!allowsPrivate) refusePrivate(url);
  // As it was given, where all that is missing is the path.
  return url.href === `${text}/` ? text : url.href;
}

function refusePrivate(url: URL): void {
  try {
    refuseLiteral(url);
  } catch (error) {
    if (!(error instanceof TargetRefused)) throw error;
    throw badUrl('public', privateTarget);
  }
}

const privateTarget =
  'must lead to a public address; the setting api.webhook_private_targets allows others';

function badUrl(constraint: string, message: string): HatiError {
  return new HatiError('request_invalid', {
    params: { message: `url: ${message}` },
    details: { field: 'url', constraint },
  });
}

/** The path of a URL may be its secret. */
export function originOf(url: string): string {
  return new URL(url).origin;
}

const firstDelayMs = 10_000;
const longestDelayMs = 24 * 3_600_000;
/** A webhook for which nothing has gone well for so long is disabled. */
export const longestFailureMs = 3 * 24 * 3_600_000;

/** After so many tries that failed. @param random from 0 to 1: not everything that failed together comes again together. */
export function delayAfter(attempts: number, random: number): number {
  const most = Math.min(longestDelayMs, firstDelayMs * 2 ** (attempts - 1));
  return Math.round(most * (0.5 + random / 2));
}
