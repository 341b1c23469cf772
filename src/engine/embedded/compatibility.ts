/**
 * Names that clients written for HatiData's legacy engine use and PostgreSQL does not have: the type `double`, and
 * `strftime(moment, format)` with that engine's specifiers, which prints UTC.
 *
 * And one column of pg_database that PostgreSQL 17 renamed, so that `\\l` of psql 15 and 16 works: `d.daticulocale`
 * calls a function of that name where no such column exists (functional notation).
 *
 * They live in pg_catalog, owned by the superuser: found whatever the search_path is, not replaceable by a client, not
 * listed by \\df and \\dT, and not dumped by pg_dump, which skips that schema but for changed privileges.
 */
const specifiers: Readonly<Record<string, string>> = {
  '%Y': 'YYYY',
  '%y': 'YY',
  '%-y': 'FMYY',
  '%m': 'MM',
  '%-m': 'FMMM',
  '%d': 'DD',
  '%-d': 'FMDD',
  '%H': 'HH24',
  '%-H': 'FMHH24',
  '%I': 'HH12',
  '%-I': 'FMHH12',
  '%M': 'MI',
  '%-M': 'FMMI',
  '%S': 'SS',
  '%-S': 'FMSS',
  '%f': 'US',
  '%g': 'MS',
  '%n': 'US"000"',
  '%p': 'AM',
  '%j': 'DDD',
  '%-j': 'FMDDD',
  '%B': 'FMMonth',
  '%b': 'Mon',
  '%h': 'Mon',
  '%A': 'FMDay',
  '%a': 'Dy',
  '%u': 'ID',
  '%G': 'IYYY',
  '%V': 'IW',
  '%F': 'YYYY-MM-DD',
  '%T': 'HH24:MI:SS',
  '%R': 'HH24:MI',
  '%D': 'MM/DD/YY',
  '%x': 'YYYY-MM-DD',
  '%X': 'HH24:MI:SS',
  '%c': 'YYYY-MM-DD HH24:MI:SS',
};

const byPattern = Object.entries(specifiers)
  .map(([name, pattern]) => `      WHEN '${name}' THEN to_char(moment, '${pattern}')`)
  .join('\n');

/** Weeks of the year that begin on the given weekday (0 = Sunday), as C's strftime counts them. */
const weekOfYear = (firstDay: 0 | 1) =>
  `to_char(((extract(doy FROM moment)::int + 6 - (extract(dow FROM moment)::int + 7 - ${firstDay}) % 7) / 7), 'FM00')`;

/** Bodies in SQL's own form (RETURN) are resolved once, here: no search_path of a caller can change what they call. */
export const compatibilitySql = `
DO $double$
BEGIN
  IF to_regtype('pg_catalog.double') IS NULL THEN
    CREATE DOMAIN pg_catalog.double AS pg_catalog.float8;
  END IF;
END
$double$;

CREATE OR REPLACE FUNCTION pg_catalog.strftime(moment timestamp, format text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN (
  SELECT coalesce(string_agg(
    CASE part.piece[1]
${byPattern}
      WHEN '%U' THEN ${weekOfYear(0)}
      WHEN '%W' THEN ${weekOfYear(1)}
      WHEN '%w' THEN extract(dow FROM moment)::int::text
      WHEN '%s' THEN floor(extract(epoch FROM moment))::bigint::text
      WHEN '%z' THEN '+00'
      WHEN '%Z' THEN 'UTC'
      WHEN '%%' THEN '%'
      ELSE part.piece[1]
    END, '' ORDER BY part.position), '')
  FROM regexp_matches(format, '%-?.|[^%]+|%$', 'g') WITH ORDINALITY AS part(piece, position)
);

CREATE OR REPLACE FUNCTION pg_catalog.strftime(moment timestamptz, format text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.strftime(moment AT TIME ZONE 'UTC', format);

CREATE OR REPLACE FUNCTION pg_catalog.strftime(moment date, format text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN pg_catalog.strftime(moment::timestamp, format);

CREATE OR REPLACE FUNCTION pg_catalog.daticulocale(pg_catalog.pg_database) RETURNS text
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN $1.datlocale;
`;
