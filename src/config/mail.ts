import { settings } from './settings.ts';
import type { Sources } from './sources.ts';

export interface MailConfig {
  readonly smtpUrl: string;
  readonly from: string;
}

export function readMail(sources: Sources): MailConfig | undefined {
  const smtpUrl = sources.read(settings.mailSmtpUrl);
  const from = sources.read(settings.mailFrom);
  if (smtpUrl === undefined) return undefined;
  if (from === undefined) {
    sources.faults.push(
      `${sources.nameOf(settings.mailSmtpUrl)}: mails need a sender; set ${settings.mailFrom.key} (${settings.mailFrom.env}) beside it`,
    );
    return undefined;
  }
  return { smtpUrl, from };
}
