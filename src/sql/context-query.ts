import { quoteIdentifier, quoteLiteral, quoteRelationPath } from './quote.ts';

/**
 * The sub-selects that our two table functions stand for. They only read, every name in them is quoted or belongs to
 * pg_catalog, and the row is `(alias.*)`, which no column of the table can shadow.
 */

export interface TextSearch {
  readonly table: string;
  readonly query: string;
  readonly limit: number;
}

const config = `'pg_catalog.english'::pg_catalog.regconfig`;

/** Rows of the table that match all words, best first. */
export function textSearchQuery({ table, query, limit }: TextSearch): string {
  const document = `pg_catalog.to_tsvector(${config}, (hatidata_row.*)::pg_catalog.text)`;
  const words = `pg_catalog.plainto_tsquery(${config}, ${quoteLiteral(query)})`;
  return (
    `(SELECT hatidata_row.* FROM ${quoteRelationPath(table)} AS hatidata_row` +
    ` WHERE ${document} OPERATOR(pg_catalog.@@) ${words}` +
    ` ORDER BY pg_catalog.ts_rank(${document}, ${words}) DESC LIMIT ${limit})`
  );
}

export interface SimilaritySearch {
  readonly table: string;
  readonly column: string;
  readonly vector: readonly number[];
  readonly limit: number;
}

/** Rows whose float array is nearest to the vector by cosine, with the extra column `similarity`. */
export function similarityQuery({ table, column, vector, limit }: SimilaritySearch): string {
  const stored = `hatidata_row.${quoteIdentifier(column)}`;
  const asked = `ARRAY[${vector.join(', ')}]::pg_catalog.float8[]`;
  const sum = (left: string, right: string): string =>
    `pg_catalog.sum(pair.${left} OPERATOR(pg_catalog.*) pair.${right})`;
  const norm = (side: string): string => `pg_catalog.sqrt(${sum(side, side)})`;
  return (
    `(SELECT hatidata_row.*, hatidata_cosine.similarity FROM ${quoteRelationPath(table)} AS hatidata_row` +
    ` CROSS JOIN LATERAL (SELECT ${sum('stored', 'asked')} OPERATOR(pg_catalog./)` +
    ` NULLIF(${norm('stored')} OPERATOR(pg_catalog.*) ${norm('asked')}, 0) AS similarity` +
    ` FROM ROWS FROM (pg_catalog.unnest(${stored}::pg_catalog.float8[]), pg_catalog.unnest(${asked}))` +
    ` AS pair(stored, asked)) AS hatidata_cosine` +
    ` WHERE pg_catalog.cardinality(${stored}) OPERATOR(pg_catalog.=) ${vector.length}` +
    ` ORDER BY hatidata_cosine.similarity DESC NULLS LAST LIMIT ${limit})`
  );
}
