import type { Principal, StatusRelation, StatusRelations } from '../../ports.ts';
import { keySchema, statusSchema } from '../../sql/system-call.ts';
import type { Statement } from '../../sql/statement.ts';
import { parse, executePortal, sync } from '../../wire/frontend-messages.ts';
import { Frontend } from '../../wire/protocol.ts';
import { MessageWriter } from '../../wire/writer.ts';

/**
 * What `_hatidata_status` shows is known to this process alone, and never stored: its views unpack a setting of the session that reads
 * them. It is given as a bound value, so that what clients say of themselves is never SQL, and no log of statements holds it.
 */

const statusNames: readonly StatusRelation[] = ['clients', 'pools', 'servers', 'statements'];

/**
 * Keys are shown to those of their environment; its name is told the same way.
 * @returns messages that end in one ReadyForQuery; undefined where no relation of ours is named.
 */
export async function settingsAhead(
  { relations }: Statement,
  asker: Principal,
  sources: StatusRelations,
): Promise<Buffer | undefined> {
  const names = statusNames.filter((known) =>
    relations.some(({ schema, name }) => schema === statusSchema && name === known),
  );
  const messages: Buffer[] = [];
  if (asker.kind === 'key' && relations.some(({ schema }) => schema === keySchema))
    messages.push(...settingOf(`${keySchema}.environment`, asker.environment));
  for (const name of names) {
    const value = JSON.stringify(await sources[name](asker), storable);
    messages.push(...settingOf(`${statusSchema}.${name}`, value));
  }
  return messages.length === 0 ? undefined : Buffer.concat([...messages, sync]);
}

/** Its length, because the value itself would come back. */
const filling = 'SELECT pg_catalog.octet_length(pg_catalog.set_config($1, $2, false))';

function settingOf(name: string, value: string): readonly Buffer[] {
  return [
    parse({ name: '', text: filling, parameterTypes: [] }),
    new MessageWriter()
      .cstring('')
      .cstring('')
      .int16(0)
      .int16(2)
      .add(bound(Buffer.from(name)))
      .add(bound(Buffer.from(value)))
      .int16(0)
      .finish(Frontend.Bind),
    executePortal,
  ];
}

function bound(value: Buffer): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeInt32BE(value.length);
  return Buffer.concat([length, value]);
}

/** `jsonb` takes neither NUL nor half of a surrogate pair. */
function storable(_: string, value: unknown): unknown {
  return typeof value === 'string' ? value.toWellFormed().replaceAll('\0', '') : value;
}
