/** COPY, large values and large objects by postgres.js. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { Unsupported, type FeatureRun } from './matrix.ts';
import type { PostgresBench } from './postgres.ts';
import { table } from './steps.ts';

const columns = 'id int, note text';

function* lines(count: number): Generator<string> {
  for (let index = 1; index <= count; index += 1) yield `${index}\tnote é ${index}\n`;
}

export const postgresBulkFeatures: Readonly<Record<string, FeatureRun<PostgresBench>>> = {
  'copy-in': async (bench) => {
    const name = await table(bench, 'copy_in', columns);
    const sql = bench.open();
    await pipeline(
      Readable.from(lines(10_000)),
      await sql`COPY ${sql(name)} FROM STDIN`.writable(),
    );
    return sql`SELECT count(*)::int, sum(id)::int, md5(string_agg(note, ',' ORDER BY id)) FROM ${sql(name)}`;
  },

  'copy-out': async ({ open }) => {
    const sql = open();
    const rows = "SELECT n, 'note é ' || n FROM generate_series(1, 10000) n";
    const text = (await buffer(await sql.unsafe(`COPY (${rows}) TO STDOUT`).readable())).toString();
    return text === [...lines(10_000)].join('');
  },

  'copy-binary': async (bench) => {
    const name = await table(bench, 'copy_binary', columns);
    const sql = bench.open();
    const rows = "SELECT n::int, repeat('é', n) FROM generate_series(1, 500) n";
    const given = await buffer(
      await sql.unsafe(`COPY (${rows}) TO STDOUT (FORMAT binary)`).readable(),
    );
    const copyIn = await sql.unsafe(`COPY ${name} FROM STDIN (FORMAT binary)`).writable();
    await pipeline(Readable.from([given]), copyIn);
    const taken = await buffer(
      await sql.unsafe(`COPY ${name} TO STDOUT (FORMAT binary)`).readable(),
    );
    return [given.length, taken.equals(given)];
  },

  'copy-failed': async (bench) => {
    const name = await table(bench, 'copy_failed', columns);
    const sql = bench.open();
    // It never tells of a line that the server refused, so only the other way to fail is left.
    const givenUp = await sql`COPY ${sql(name)} FROM STDIN`.writable();
    givenUp.on('error', () => undefined);
    givenUp.write('1\tnever\n');
    givenUp.destroy(new Error('given up'));
    return [await sql`SELECT count(*)::int FROM ${sql(name)}`];
  },

  'large-value': async ({ open }) => {
    const sql = open();
    const bytes = Buffer.alloc(8 * 1024 * 1024, 'large value ');
    const [row] =
      await sql`SELECT length(${bytes}::bytea) AS length, md5(${bytes}) AS md5, ${bytes}::bytea AS back`;
    const { length, md5, back } = row as { length: number; md5: string; back: Buffer };
    return [length, md5, back.equals(bytes)];
  },

  'many-rows': async ({ open }) => {
    const sql = open();
    const rows = await sql<{ n: number; note: string }[]>`
      SELECT n::int, 'row ' || n AS note FROM generate_series(1, ${50_000}::int) n`;
    return [rows.count, rows.reduce((sum, { n }) => sum + n, 0), rows.at(-1)];
  },

  // Its interface to large objects sends statements.
  'large-object': async ({ open }) => {
    const sql = open();
    const large = await sql.largeObject();
    await pipeline(Readable.from([Buffer.alloc(40_000, 'ab')]), await large.writable());
    await large.seek(0);
    const [{ data }] = (await large.read(15_000)) as unknown as [{ data: Buffer }];
    const size = await large.size();
    await large.close();
    return [data.toString('latin1').slice(0, 6), data.length, size];
  },

  'large-object-api': () => {
    throw new Unsupported('its interface sends statements');
  },
};
