import { z } from 'zod';

/** Fields that many bodies and answers have. */

function id(prefix: string, what: string) {
  return z
    .string()
    .regex(new RegExp(`^${prefix}[A-Za-z0-9]{1,40}$`))
    .describe(what);
}

export const orgId = id('org_', 'An organization');
export const envId = id('env_', 'An environment');
export const userId = id('usr_', 'A user');
export const keyId = id('key_', 'An API key');
export const webhookId = id('wh_', 'A webhook');

/** ISO 8601, UTC. */
export const time = z.iso.datetime();

/** Counted as JSON Schema does: by characters, where zod's own limit counts those beyond the first 65,536 as two. */
export function atMost(most: number) {
  return z
    .string()
    .check(({ value, issues }) => {
      if (value.length <= most || Array.from(value).length <= most) return;
      const rule = { code: 'too_big', origin: 'string', maximum: most, inclusive: true } as const;
      issues.push({ ...rule, input: value, continue: true });
    })
    .meta({ maxLength: most });
}

/** No control characters, and none that cannot be seen. What is around it is cut off, once it was looked at as it was sent. */
export function text(most: number) {
  return visible(most).trim().min(1);
}

/** As it is. */
export function visible(most: number) {
  return atMost(most).regex(
    /^[^\p{Cc}\p{Cf}\p{Cs}]*$/u,
    'must not have control or invisible characters',
  );
}

/** In characters. */
export const longestDescription = 1_000;

/** Of several lines, or none. No NUL and no half of a surrogate pair: the store can't hold them. */
export const description = atMost(longestDescription)
  // oxlint-disable-next-line no-control-regex -- a pattern stands in the document, where clients see it before they send
  .regex(/^[^\u0000]*$/, 'must be text without NUL')
  // Not every language's expressions can say it.
  .refine((text) => text.isWellFormed(), 'must not have half of a surrogate pair')
  .describe('For people');

export const slug = z
  .string()
  .min(2)
  .max(40)
  .regex(/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])$/, 'must be lower-case letters, digits and dashes')
  .describe('Short name for URLs; no other one has it');

/** As long as RFC 5321 lets its parts be: zod's own pattern minds neither. */
export const email = z
  .email({
    pattern:
      /^(?!\.)(?!.*\.\.)[\w'+.-]{0,63}[\w+-]@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$/,
  })
  .max(254)
  .describe('An email address');

/** Of characters. */
export const shortestPassword = 12;
export const longestPassword = 256;
const tooShort = `must have ${shortestPassword} characters or more`;

/** One that is being chosen. Whether it fits its user is for `control/auth/passwords.ts`. */
export const newPassword = atMost(longestPassword)
  .min(shortestPassword, tooShort)
  // `min` takes a character beyond the first 65,536 for two.
  .refine((value) => Array.from(value).length >= shortestPassword, tooShort)
  .describe(`${shortestPassword} to ${longestPassword} characters; not the email address`);

/** One that was chosen. */
export const password = atMost(longestPassword).min(1).describe('The one that is in force');
