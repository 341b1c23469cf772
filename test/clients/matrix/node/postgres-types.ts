/** Values by postgres.js: given as parameters, read back. */
import type postgres from 'postgres';
import type { FeatureRun } from './matrix.ts';
import type { PostgresBench } from './postgres.ts';
import { table } from './steps.ts';

const roundTrip =
  (...values: readonly (readonly [type: string, value: unknown])[]): FeatureRun<PostgresBench> =>
  async ({ open }) => {
    const sql = open();
    const seen: unknown[] = [];
    for (const [type, value] of values) {
      const text = `SELECT $1::${type} AS value, $1::${type}::text AS text`;
      for (const prepare of [true, false]) {
        const rows = await sql.unsafe(text, [value] as postgres.ParameterOrJSON<never>[], {
          prepare,
        });
        seen.push([type, rows, rows.columns.map((column) => column.type)]);
      }
    }
    return seen;
  };

export const postgresTypeFeatures: Readonly<Record<string, FeatureRun<PostgresBench>>> = {
  'null-values': roundTrip(
    ['text', null],
    ['int', null],
    ['jsonb', null],
    ['timestamptz', null],
    ['int[]', null],
  ),
  // It asks pg_type for the array types when it connects.
  arrays: roundTrip(
    ['int[]', [1, null, -3]],
    ['text[]', ['plain', 'with "quotes"', "it's", 'a,b', '{}', null, '']],
    [
      'int[]',
      [
        [1, 2],
        [3, 4],
      ],
    ],
    ['numeric[]', ['1.50', 'NaN']],
  ),
  json: roundTrip(
    ['json', { b: 1, a: [true, null, { nested: '"é\\n"' }] }],
    ['jsonb', { b: 1, a: [true, null, { nested: '"é\\n"' }] }],
    ['jsonb', []],
  ),
  timestamps: roundTrip(
    ['timestamptz', new Date('2026-02-28T23:59:59.123Z')],
    ['timestamp', '2026-02-28 23:59:59.123'],
    ['date', '2026-03-15'],
    ['time', '24:00:00'],
    ['interval', '1 year 2 mons -3 days 04:05:06.789'],
  ),
  numerics: roundTrip(
    ['smallint', -32768],
    ['int', 2147483647],
    ['bigint', '9223372036854775807'],
    ['numeric', '123456789012345678901234567890.123456789'],
    ['numeric', 'NaN'],
    ['float8', 0.1],
    ['float4', '3.4e38'],
    ['float8', '-Infinity'],
  ),
  'bytes-uuid': roundTrip(
    ['bytea', Buffer.from(Array.from({ length: 256 }, (_, index) => index))],
    ['bytea', Buffer.alloc(0)],
    ['uuid', 'b5c3f1d2-0000-4abc-8def-0123456789ab'],
  ),
  'own-types': async (bench) => {
    const sql = bench.open();
    await sql
      .unsafe("DROP TYPE IF EXISTS node_mood; CREATE TYPE node_mood AS ENUM ('sad', 'happy')")
      .simple();
    // A connection that begins now learns of the type's arrays.
    const later = bench.open();
    const rows =
      await later`SELECT ${['sad', 'happy']}::node_mood[] AS moods, ${'sad'}::node_mood AS mood`;
    return [...rows];
  },
  unicode: async ({ open }) => {
    const sql = open();
    const rows =
      await sql`SELECT ${'日本 🐘 ﷽'}::text AS ${sql('größe 🐘')}, length(${'日本 🐘 ﷽'}) AS n`;
    return [rows, rows.columns.map(({ name }) => name)];
  },
  metadata: async (bench) => {
    const name = await table(
      bench,
      'metadata',
      'id int PRIMARY KEY, price numeric(8, 2) NOT NULL, note varchar(20)',
    );
    const sql = bench.open();
    const { types, columns } =
      await sql`SELECT *, price * 2 AS twice FROM ${sql(name)} WHERE id = ${1}`.describe();
    const described = columns.map((column) => [
      column.name,
      column.type,
      column.number,
      column.table > 0,
    ]);
    return [types, described];
  },
};
