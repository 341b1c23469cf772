/** COPY and large values by node-postgres and pg-copy-streams. */
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { from, to } from 'pg-copy-streams';
import { Unsupported, type FeatureRun } from './matrix.ts';
import { faultOf, type PgBench } from './pg.ts';
import { table } from './steps.ts';

const columns = 'id int, note text';

function* lines(count: number): Generator<string> {
  for (let index = 1; index <= count; index += 1) yield `${index}\tnote é ${index}\n`;
}

export const pgBulkFeatures: Readonly<Record<string, FeatureRun<PgBench>>> = {
  'copy-in': async (bench) => {
    const name = await table(bench, 'copy_in', columns);
    const client = await bench.open();
    const copy = client.query(from(`COPY ${name} FROM STDIN`));
    await pipeline(Readable.from(lines(10_000)), copy);
    const sums = `SELECT count(*)::int, sum(id)::int, md5(string_agg(note, ',' ORDER BY id)) FROM ${name}`;
    return [copy.rowCount, (await client.query({ text: sums, rowMode: 'array' })).rows];
  },

  'copy-out': async ({ open }) => {
    const client = await open();
    const rows = "SELECT n, 'note é ' || n FROM generate_series(1, 10000) n";
    const copy = client.query(to(`COPY (${rows}) TO STDOUT`));
    const text = (await buffer(copy)).toString();
    return [copy.rowCount, text === [...lines(10_000)].join('')];
  },

  'copy-binary': async (bench) => {
    const name = await table(bench, 'copy_binary', columns);
    const client = await bench.open();
    const rows = "SELECT n::int, repeat('é', n) FROM generate_series(1, 500) n";
    const given = await buffer(client.query(to(`COPY (${rows}) TO STDOUT (FORMAT binary)`)));
    await pipeline(
      Readable.from([given]),
      client.query(from(`COPY ${name} FROM STDIN (FORMAT binary)`)),
    );
    const taken = await buffer(client.query(to(`COPY ${name} TO STDOUT (FORMAT binary)`)));
    return [given.length, taken.equals(given)];
  },

  'copy-failed': async (bench) => {
    const name = await table(bench, 'copy_failed', columns);
    const client = await bench.open();
    const copyIn = (source: Readable) =>
      pipeline(source, client.query(from(`COPY ${name} FROM STDIN`))).catch(
        (error: unknown) => error,
      );
    const broken = faultOf(await copyIn(Readable.from(['1\tfine\nnot a number\tbroken\n'])));
    // The stream sends CopyFail and reports its own reason, not the server's answer.
    await copyIn(
      Readable.from(
        (function* givesUp() {
          yield '1\tnever\n';
          throw new Error('given up');
        })(),
      ),
    );
    const { rows } = await client.query(`SELECT count(*)::int FROM ${name}`);
    return [broken.sqlstate, broken.message, rows];
  },

  'large-value': async ({ open }) => {
    const client = await open();
    const bytes = Buffer.alloc(8 * 1024 * 1024, 'large value ');
    const text = 'SELECT length($1::bytea) AS length, md5($1) AS md5, $1 AS back';
    const { rows } = await client.query<{ length: number; md5: string; back: Buffer }>(text, [
      bytes,
    ]);
    const { length, md5, back } = rows[0]!;
    return [length, md5, back.equals(bytes)];
  },

  'many-rows': async ({ open }) => {
    const client = await open();
    const text = "SELECT n::int, 'row ' || n AS note FROM generate_series(1, $1::int) n";
    const { rows, rowCount } = await client.query<{ n: number; note: string }>(text, [50_000]);
    return [rowCount, rows.reduce((sum, { n }) => sum + n, 0), rows.at(-1)];
  },

  'large-object-api': () => {
    throw new Unsupported('no interface to large objects');
  },
};
