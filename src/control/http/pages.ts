import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';

/** A page for people: one file, with nothing from elsewhere. */
export interface Page {
  readonly path: `/${string}`;
  readonly title: string;
  readonly style: string;
  /** Runs in the page, and may ask this server only. */
  readonly script: string;
  readonly body: string;
}

/** @param make is called once, when somebody asks for the page */
export function addPage(app: FastifyInstance, path: Page['path'], make: () => Page): void {
  let made: { readonly html: string; readonly policy: string } | undefined;
  app.get(path, { schema: { hide: true } }, (_request, reply) => {
    if (made === undefined) {
      const page = make();
      made = { html: htmlOf(page), policy: policyOf(page) };
    }
    return (
      reply
        .header('content-security-policy', made.policy)
        .type('text/html; charset=utf-8')
        // Not JSON: as it is.
        .serializer((text: unknown) => String(text))
        .send(made.html)
    );
  });
}

function htmlOf({ title, style, script, body }: Page): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${style}</style>
</head>
<body>
${body}
<script>${script}</script>
</body>
</html>
`;
}

/** Its own script and style run, known by their digests; whatever else gets into it does not. */
function policyOf({ style, script }: Page): string {
  return [
    "default-src 'none'",
    `script-src '${digestOf(script)}'`,
    `style-src '${digestOf(style)}'`,
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function digestOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
