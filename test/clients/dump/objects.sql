-- One of everything that a dump has to carry: names, types, constraints, code, comments, data that is hard to quote.
\set ON_ERROR_STOP on

CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'a schema beside main';

CREATE TYPE shop.mood AS ENUM ('sad', 'it''s ok', 'happy é');
CREATE TYPE shop.place AS (street text, number integer);
CREATE DOMAIN shop.percent AS numeric(5, 2) DEFAULT 0 CHECK (VALUE BETWEEN 0 AND 100);
CREATE SEQUENCE shop.tickets START 1000 INCREMENT 7;

CREATE FUNCTION shop.twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
COMMENT ON FUNCTION shop.twice(integer) IS 'doubles; it''s immutable';

CREATE TABLE every_type (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  small smallint,
  large bigint DEFAULT nextval('shop.tickets'),
  exact numeric(12, 3),
  real4 real,
  real8 double precision,
  short varchar(10),
  fixed char(5),
  long text COLLATE "C",
  raw bytea,
  flag boolean NOT NULL DEFAULT false,
  day date,
  hour time,
  moment timestamp(3),
  instant timestamptz,
  span interval,
  ident uuid,
  plain json,
  tree jsonb,
  address inet,
  network cidr,
  hardware macaddr,
  spot point,
  bits bit varying(8),
  period int4range,
  words tsvector,
  numbers integer[],
  grid text[][],
  mood shop.mood,
  place shop.place,
  share shop.percent,
  doubled integer GENERATED ALWAYS AS (shop.twice(small)) STORED
);
COMMENT ON TABLE every_type IS E'one column for each type\nand a second line';
COMMENT ON COLUMN every_type.share IS 'out of a hundred';

INSERT INTO every_type (
  small, exact, real4, real8, short, fixed, long, raw, flag, day, hour, moment, instant, span, ident, plain, tree,
  address, network, hardware, spot, bits, period, words, numbers, grid, mood, place, share
)
SELECT n % 100, n / 7.0, n / 3.0, exp(n % 20), 'n' || n, 'abc', E'tab\t back\\slash \\. \n quote '' é 🌍 ' || n,
  sha256(n::text::bytea), n % 2 = 0, date '2026-01-01' + n, time '08:00' + n * interval '1 second',
  timestamp '2026-01-31 08:00' + n * interval '1 ms', timestamptz '2026-01-31 08:00+02' + n * interval '1 us',
  n * interval '1 day 1 second', md5(n::text)::uuid, json_build_object('n', n), jsonb_build_array(n, NULL, 'x'),
  '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', point(n, -n), B'1010', int4range(n, n + 5), to_tsvector('simple', 'a b ' || n),
  ARRAY[n, NULL, -n], ARRAY[['a', 'b'], ['c"d', 'e,f']], 'it''s ok', ROW('Rue "é"', n)::shop.place, n % 100
FROM generate_series(1, 2000) n;
INSERT INTO every_type (real8, long) VALUES ('NaN', ''), ('-Infinity', '\N'), (NULL, NULL);

CREATE TABLE shop.customers (
  id serial PRIMARY KEY,
  email text NOT NULL UNIQUE,
  CONSTRAINT has_at CHECK (position('@' IN email) > 0)
);
CREATE TABLE shop."Order lines" (
  customer integer NOT NULL REFERENCES shop.customers ON DELETE CASCADE ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED,
  "line No" integer,
  product text DEFAULT 'it''s "new"',
  PRIMARY KEY (customer, "line No")
);
INSERT INTO shop.customers (email) SELECT 'c' || n || '@example.org' FROM generate_series(1, 50) n;
INSERT INTO shop."Order lines" SELECT 1 + n % 50, n FROM generate_series(1, 500) n;

CREATE INDEX by_lower_product ON shop."Order lines" (lower(product)) WHERE "line No" > 10;
CREATE INDEX by_tree ON every_type USING gin (tree);
COMMENT ON INDEX by_tree IS 'for containment';
CREATE STATISTICS shop.together (dependencies) ON customer, "line No" FROM shop."Order lines";

CREATE TABLE shop.measured (at date NOT NULL, value integer) PARTITION BY RANGE (at);
CREATE TABLE shop.measured_2025 PARTITION OF shop.measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE shop.measured_rest PARTITION OF shop.measured DEFAULT;
INSERT INTO shop.measured SELECT date '2025-06-01' + n, n FROM generate_series(1, 400) n;

CREATE VIEW shop.busy WITH (security_barrier) AS
  SELECT c.email, count(*) AS lines FROM shop.customers c JOIN shop."Order lines" l ON l.customer = c.id GROUP BY c.email;
COMMENT ON VIEW shop.busy IS 'customers with lines';
CREATE MATERIALIZED VIEW shop.totals AS SELECT date_trunc('month', at) AS month, sum(value) FROM shop.measured GROUP BY 1;
CREATE UNIQUE INDEX ON shop.totals (month);

CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  NEW.email := lower(NEW.email);  -- $$ and 'quotes' in a body
  RETURN NEW;
END
$body$;
CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON shop.customers FOR EACH ROW EXECUTE FUNCTION shop.stamp();
CREATE PROCEDURE shop.forget(who integer) LANGUAGE sql AS 'DELETE FROM shop.customers WHERE id = who';
CREATE AGGREGATE shop.product(integer) (SFUNC = int4mul, STYPE = integer, INITCOND = '1');

ALTER TABLE shop.customers ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON shop.customers USING (true);
GRANT SELECT ON shop.customers TO PUBLIC;
ALTER TABLE every_type ALTER COLUMN tree SET STATISTICS 500;
SELECT setval('shop.tickets', 123456);
