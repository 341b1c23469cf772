/** Values by node-postgres: given as parameters, read back, and compared with what was given. */
import { Unsupported, type FeatureRun } from './matrix.ts';
import type { PgBench } from './pg.ts';
import { table } from './steps.ts';

/** `[type, value]`: what `SELECT $1::type` gives back, by unnamed and named statements. */
const roundTrip =
  (...values: readonly (readonly [type: string, value: unknown])[]): FeatureRun<PgBench> =>
  async ({ open }) => {
    const client = await open();
    const seen: unknown[] = [];
    for (const [type, value] of values) {
      const query = {
        text: `SELECT $1::${type} AS value, $1::${type}::text AS text`,
        values: [value],
      };
      const unnamed = await client.query(query);
      const named = await client.query({ ...query, name: type });
      seen.push([type, unnamed.rows, named.rows, unnamed.fields[0]!.dataTypeID]);
    }
    return seen;
  };

export const pgTypeFeatures: Readonly<Record<string, FeatureRun<PgBench>>> = {
  'null-values': roundTrip(
    ['text', null],
    ['int', null],
    ['jsonb', null],
    ['timestamptz', null],
    ['int[]', null],
  ),
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
    ['json', JSON.stringify({ b: 1, a: [true, null, { nested: '"é\\n"' }] })],
    ['jsonb', JSON.stringify({ b: 1, a: [true, null, { nested: '"é\\n"' }] })],
    ['jsonb', '[]'],
  ),
  timestamps: roundTrip(
    ['timestamptz', new Date('2026-02-28T23:59:59.123Z')],
    ['timestamp', '2026-02-28 23:59:59.123456'],
    ['date', '0044-03-15 BC'],
    ['time', '24:00:00'],
    ['interval', '1 year 2 mons -3 days 04:05:06.789'],
    ['timestamptz', 'infinity'],
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
  'own-types': () => {
    throw new Unsupported('no lookup of types');
  },
  unicode: async ({ open }) => {
    const client = await open();
    const { rows, fields } = await client.query('SELECT $1::text AS "größe 🐘", length($1) AS n', [
      '日本 🐘 ﷽',
    ]);
    return [rows, fields.map(({ name }) => name)];
  },
  metadata: async (bench) => {
    const name = await table(
      bench,
      'metadata',
      'id int PRIMARY KEY, price numeric(8, 2) NOT NULL, note varchar(20)',
    );
    const client = await bench.open();
    const { fields, rows } = await client.query(`SELECT *, price * 2 AS twice FROM ${name}`);
    const described = fields.map((field) => [
      field.name,
      field.dataTypeID,
      field.dataTypeSize,
      field.dataTypeModifier,
      field.columnID,
      field.tableID > 0,
    ]);
    return [described, rows];
  },
};
