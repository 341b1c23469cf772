/**
 * Prisma with its schema engine in WebAssembly, which is all that npm brings of it. Its own adapter for node-postgres cannot
 * read the types of the catalogue (name, "char", arrays of them), so results are turned into Prisma's form here.
 */
import { PrismaPg } from '@prisma/adapter-pg';
import pg from 'pg';
import { defineConfig } from 'prisma/config';

const connectionString = process.env.DATABASE_URL;

/** Object ids of pg_type, and Prisma's ColumnTypeEnum for them; everything else is text. */
const int16 = 21;
const int32 = 23;
const bool = 16;
const text = 7;
const prismaTypes = new Map([
  [bool, 5],
  [18, 6],
  [20, 1],
  [int16, 0],
  [int32, 0],
  [26, 1],
  // "char"[], name[], text[]
  [1002, 71],
  [1003, 71],
  [1009, 71],
  // int2[]
  [1005, 64],
]);

const list = (value) => (value === '{}' ? [] : value.slice(1, -1).split(','));

function parserOf(type) {
  if (type === bool) return (value) => value === 't';
  if (type === int16 || type === int32) return Number;
  if (prismaTypes.get(type) === 71) return list;
  if (prismaTypes.get(type) === 64) return (value) => list(value).map(Number);
  return (value) => value;
}

/** @returns the same object, but for what is in `others`. */
const overriding = (target, others) =>
  new Proxy(target, {
    get(_, name) {
      const value = others[name] ?? target[name];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });

async function connect(factory) {
  // Prisma does not dispose of its adapters; a process with an idle connection would never end.
  const pool = new pg.Pool({ connectionString, max: 1, allowExitOnIdle: true });
  const adapter = await factory.connect();
  return overriding(adapter, {
    queryRaw: async ({ sql, args }) => {
      const types = { getTypeParser: parserOf };
      const { fields, rows } = await pool.query({
        text: sql,
        values: args,
        rowMode: 'array',
        types,
      });
      const columnTypes = fields.map(({ dataTypeID }) => prismaTypes.get(dataTypeID) ?? text);
      return { columnNames: fields.map(({ name }) => name), columnTypes, rows };
    },
  });
}

export default defineConfig({
  experimental: { adapter: true },
  schema: 'schema.prisma',
  engine: 'js',
  adapter: () => {
    const factory = new PrismaPg({ connectionString });
    const connecting = () => connect(factory);
    return Promise.resolve(
      overriding(factory, { connect: connecting, connectToShadowDb: connecting }),
    );
  },
});
