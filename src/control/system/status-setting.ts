import type { StatusRelation, StatusRelations, StatusRow } from '../../ports.ts';
import { statusSchema } from '../../sql/system-call.ts';
import type { Statement } from '../../sql/statement.ts';
import { parse, executePortal, sync } from '../../wire/frontend-messages.ts';
import { Frontend } from '../../wire/protocol.ts';
import { MessageWriter } from '../../wire/writer.ts';

/**
 * What `_hatidata_status` shows is known to this process alone, and never stored: its views unpack a setting of the session that reads
 * them. It is given as a bound value, so that what clients say of themselves is never SQL, and no log of statements holds it.
 */

const statusNames: readonly StatusRelation[] = ['clients', 'pools', 'servers', 'statements'];

/** @returns messages that end in one ReadyForQuery; undefined where none of these relations is named. */
export async function statusSetting(
  { relations }: Statement,
  sources: StatusRelations,
): Promise<Buffer | undefined> {
  const names = statusNames.filter((known) =>
    relations.some(({ schema, name }) => schema === statusSchema && name === known),
  );
  if (names.length === 0) return undefined;
  const messages: Buffer[] = [];
  for (const name of names) messages.push(...settingOf(name, await sources[name]()));
  return Buffer.concat([...messages, sync]);
}

/** Its length, because the value itself would come back. */
const filling = 'SELECT pg_catalog.octet_length(pg_catalog.set_config($1, $2, false))';

function settingOf(name: StatusRelation, rows: readonly StatusRow[]): readonly Buffer[] {
  const value = Buffer.from(JSON.stringify(rows, storable));
  return [
    parse({ name: '', text: filling, parameterTypes: [] }),
    new MessageWriter()
      .cstring('')
      .cstring('')
      .int16(0)
      .int16(2)
      .add(bound(Buffer.from(`${statusSchema}.${name}`)))
      .add(bound(value))
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
