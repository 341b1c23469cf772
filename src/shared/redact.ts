/**
 * What may never be read in a log line, a fault or a command's output: an API key, a webhook's secret, and the password in a
 * connection URL. Applied to finished text (a JSON log line included), so nothing has to remember to ask for it.
 */

export const redacted = '[redacted]';

/**
 * `hd_ro_…`, `hd_admin_…`, `hd_live_svc_…`. A body of eight or more characters is a secret; shorter ones are the
 * prefixes that we print on purpose to say which key is meant.
 */
const apiKey = /\bhd_((?:[a-z]+_)+)[A-Za-z0-9]{8,}/g;

/** Of a webhook. */
const signingSecret = /\bwhsec_[A-Za-z0-9]{8,}/g;

/** A password may itself hold `@`, so this runs to the last one before a space, a quote or an escaped newline. */
const urlPassword = /\b((?:postgres(?:ql)?|smtps?):\/\/[^:/?#\s"@]*:)(?:\\[^nrt]|[^\s"\\])*@/gi;

/** `password=…` in a keyword connection string or a URL's query. */
const keywordPassword = /\b(password\s*=\s*)(?:'(?:\\.|[^'\\])*'|[^\s&"'\\]+)/gi;

/** A member of a logged object, whoever put it there. */
const jsonMember = /("(?:password|api_?key|secret|authorization)"\s*:\s*)"(?:\\.|[^"\\])*"/gi;

export function redactSecrets(text: string): string {
  return text
    .replace(apiKey, `hd_$1${redacted}`)
    .replace(signingSecret, `whsec_${redacted}`)
    .replace(urlPassword, `$1${redacted}@`)
    .replace(keywordPassword, `$1${redacted}`)
    .replace(jsonMember, `$1"${redacted}"`);
}
