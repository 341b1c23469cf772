import { z } from 'zod';
import { eventBody, eventData } from '../../api/events.ts';

const header = (name: string, description: string) => ({
  name,
  in: 'header',
  required: true,
  description,
  schema: { type: 'string' },
});

const headers = [
  header(
    'X-HatiData-Signature',
    '`sha256=` and the hex HMAC-SHA256 of the raw body by the signing secret; two of them with a comma between while two secrets are valid',
  ),
  header('X-HatiData-Event-Type', 'The `type` of the body'),
  header('X-HatiData-Event-Id', 'The same each time that an event is sent'),
  header('X-HatiData-Timestamp', 'When it happened'),
  header('X-HatiData-Delivery-Attempt', '1, and one more for each try'),
];

/** What webhooks receive, for the `webhooks` of the document. */
export function eventsDocument() {
  const events = Object.entries<z.ZodObject>(eventData).map(([type, data]) => {
    const body = eventBody.extend({ type: z.literal(type), data });
    const schema = z.toJSONSchema(body);
    const post = {
      summary: data.description ?? type,
      tags: ['Webhooks'],
      parameters: headers,
      requestBody: { required: true, content: { 'application/json': { schema } } },
      responses: { '2XX': { description: 'Accepted. Anything else is tried again' } },
    };
    return [type, { post }] as const;
  });
  return Object.fromEntries(events);
}
