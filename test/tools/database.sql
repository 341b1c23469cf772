-- What tools are shown: one of each kind of object that they list, in a schema beside `main`.
CREATE SCHEMA shop;
COMMENT ON SCHEMA shop IS 'a schema beside main';
CREATE EXTENSION pg_trgm SCHEMA public;

CREATE TYPE shop.mood AS ENUM ('sad', 'fine', 'happy');
CREATE TYPE shop.place AS (street text, number integer);
CREATE TYPE shop.price_range AS RANGE (subtype = numeric);
CREATE DOMAIN shop.percent AS numeric(5, 2) DEFAULT 0 CONSTRAINT of_a_hundred CHECK (VALUE BETWEEN 0 AND 100);
COMMENT ON DOMAIN shop.percent IS 'out of a hundred';
CREATE SEQUENCE shop.tickets START 1000 INCREMENT 7;

CREATE TABLE shop.customers (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email varchar(80) NOT NULL CONSTRAINT one_email UNIQUE,
  mood shop.mood DEFAULT 'fine',
  discount shop.percent,
  home shop.place,
  tags text[],
  CONSTRAINT has_at CHECK (position('@' IN email) > 0)
);
COMMENT ON TABLE shop.customers IS 'who buys';
COMMENT ON COLUMN shop.customers.email IS 'where we write to';
CREATE INDEX email_trigrams ON shop.customers USING gin (email gin_trgm_ops);
CREATE INDEX lower_email ON shop.customers (lower(email) DESC) INCLUDE (mood) WHERE mood <> 'sad';
COMMENT ON INDEX shop.lower_email IS 'for logins';

CREATE TABLE shop.orders (
  customer integer NOT NULL CONSTRAINT who_ordered REFERENCES shop.customers ON DELETE CASCADE,
  number bigint NOT NULL DEFAULT nextval('shop.tickets'),
  ordered_at timestamptz NOT NULL DEFAULT now(),
  net numeric(12, 2) NOT NULL,
  gross numeric(12, 2) GENERATED ALWAYS AS (net * 1.2) STORED,
  notes jsonb,
  PRIMARY KEY (customer, number)
);
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY everybody ON shop.orders USING (true);
CREATE TABLE shop."Odd Names" ("Order No" bigint PRIMARY KEY, "it's" text DEFAULT 'it''s');

CREATE TABLE shop.measures (day date NOT NULL, value double precision) PARTITION BY RANGE (day);
CREATE TABLE shop.measures_2026 PARTITION OF shop.measures FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE shop.measures_rest PARTITION OF shop.measures DEFAULT;
CREATE INDEX measures_day ON shop.measures (day);
CREATE TABLE shop.events (kind text NOT NULL);
CREATE TABLE shop.clicks (target text) INHERITS (shop.events);
CREATE STATISTICS shop.together (dependencies) ON customer, net FROM shop.orders;

CREATE VIEW shop.happy AS SELECT id, email FROM shop.customers WHERE mood = 'happy';
COMMENT ON VIEW shop.happy IS 'those who smile';
CREATE RULE nothing_new AS ON INSERT TO shop.happy DO INSTEAD NOTHING;
CREATE MATERIALIZED VIEW shop.totals AS SELECT customer, sum(net) AS total FROM shop.orders GROUP BY customer;
CREATE UNIQUE INDEX totals_customer ON shop.totals (customer);

CREATE FUNCTION shop.twice(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
COMMENT ON FUNCTION shop.twice(integer) IS 'doubles';
CREATE FUNCTION shop.buyers(lowest numeric DEFAULT 0) RETURNS TABLE (id integer, email text) LANGUAGE sql STABLE
  AS 'SELECT c.id, c.email FROM shop.customers c JOIN shop.orders o ON o.customer = c.id WHERE o.net >= lowest';
CREATE PROCEDURE shop.clean() LANGUAGE sql AS 'DELETE FROM shop.clicks';
CREATE AGGREGATE shop.product(integer) (sfunc = int4mul, stype = integer, initcond = '1');
CREATE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.ordered_at := now(); RETURN NEW; END';
CREATE TRIGGER stamped BEFORE UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.stamp();

INSERT INTO shop.customers (email, mood, home, tags)
  SELECT 'c' || n || '@example.org', (ARRAY['sad', 'fine', 'happy'])[1 + n % 3]::shop.mood, ROW('Rue É', n)::shop.place, ARRAY['a', 'b']
  FROM generate_series(1, 30) n;
INSERT INTO shop.orders (customer, net, notes) SELECT 1 + n % 30, n, '{"gift": true}' FROM generate_series(1, 120) n;
INSERT INTO shop."Odd Names" VALUES (1, 'one');
INSERT INTO shop.measures SELECT date '2026-01-01' + n * 30, n FROM generate_series(0, 20) n;
INSERT INTO shop.clicks VALUES ('button', 'left');
REFRESH MATERIALIZED VIEW shop.totals;
ANALYZE shop.customers, shop.orders;
