import { createTransport, type Transporter } from 'nodemailer';
import type { MailConfig } from '../../config/mail.ts';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  /** Plain text: nothing in it is taken for markup. */
  readonly text: string;
}

/** Somebody waits for the answer of the request that sends it. */
const timeoutMs = 10_000;

export class Mailer {
  private readonly from: string;
  private readonly transport: Transporter;

  /** `smtp:` goes on with TLS where the server offers it, `smtps:` begins with it. */
  constructor({ smtpUrl, from }: MailConfig) {
    this.from = from;
    this.transport = createTransport({
      url: smtpUrl,
      connectionTimeout: timeoutMs,
      greetingTimeout: timeoutMs,
      socketTimeout: timeoutMs,
      // A text is what it says, never the name of a file or an address to fetch.
      disableFileAccess: true,
      disableUrlAccess: true,
    });
  }

  /** Resolves once the server has taken it. */
  async send({ to, subject, text }: Mail): Promise<void> {
    await this.transport.sendMail({
      from: this.from,
      to: { name: '', address: to },
      subject,
      text,
    });
  }
}
