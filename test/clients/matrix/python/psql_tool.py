"""psql 18: what it prints, errors and exit code included, must be the same."""

from __future__ import annotations

from matrix import Address
from tool import BIN, WORK, Feature, run, sql


def psql(address: Address, script: str, *arguments: str) -> list[object]:
    done = run(BIN / 'psql', '-X', *arguments, address=address, script=script)
    return [done.returncode, done.stdout, done.stderr.replace(str(address.port), 'PORT')]


def prepared(address: Address) -> None:
    sql(
        address,
        'DROP TABLE IF EXISTS psql_items, psql_owners',
        'CREATE TABLE psql_owners (id int PRIMARY KEY, email text UNIQUE)',
        'CREATE TABLE psql_items (id int PRIMARY KEY, owner int REFERENCES psql_owners, price numeric(8, 2) DEFAULT 0)',
        'CREATE INDEX psql_index ON psql_items (owner) WHERE price > 0',
        "COMMENT ON TABLE psql_items IS 'a comment'",
        'CREATE OR REPLACE FUNCTION psql_twice(n int) RETURNS int IMMUTABLE LANGUAGE sql AS $$ SELECT n * 2 $$',
        "INSERT INTO psql_owners SELECT n, 'n' || n FROM generate_series(1, 20) n",
    )


def log_in(address: Address) -> object:
    return psql(
        address, r'SELECT current_user, session_user; \encoding' '\n' r'\echo :SERVER_VERSION_NAME :ENCODING :DBNAME'
    )


def describe_commands(address: Address) -> object:
    prepared(address)
    commands = r"""
\d psql_items
\d+ psql_items
\d psql_owners
\dt psql_*
\dt+ psql_owners
\di psql_*
\df psql_*
\df+ psql_*
\sf psql_twice
\dn
\dp psql_*
\ddp
\l hatidata
\dT+ int4
\do + pg_catalog.int4 pg_catalog.int4
\dC int4
\du hatidata_writer
\drg hatidata_writer
\dconfig work_mem
\dx
\des
\dL
\dD
\dP
\conninfo
"""
    code, out, problems = psql(address, commands)
    # \conninfo says where it is connected to, and with which settings the session began.
    return [code, str(out).partition('Connection Information')[0].rstrip(), problems]


def variables(address: Address) -> object:
    return psql(
        address,
        r"""
SELECT 40 + 2 AS answer, 'x' AS letter \gset
\echo :answer :'letter'
SELECT $1::int + $2::int \bind 1 2 \g
SELECT $1::int * 2 \parse doubled
\bind_named doubled 21 \g
BEGIN;
\bind_named doubled 22 \g
COMMIT;
\close_prepared doubled
\bind_named doubled 23 \g
SELECT 1/0;
\echo :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE
\errverbose
SELECT 1 AS a \gdesc
\set FETCH_COUNT 3
SELECT generate_series(1, 8);
""",
    )


def pipeline(address: Address) -> object:
    return psql(
        address,
        r"""
\startpipeline
SELECT $1 \bind 'one' \sendpipeline
SELECT $1 \parse piped
\bind_named piped 'two' \sendpipeline
\flushrequest
\getresults
SELECT 1/$1::int \bind 0 \sendpipeline
SELECT $1 \bind 'skipped' \sendpipeline
\syncpipeline
SELECT $1 \bind 'three' \sendpipeline
\endpipeline
SELECT 'after';
""",
    )


def copy_command(address: Address) -> object:
    prepared(address)
    given, taken = WORK / 'psql-given', WORK / 'psql-taken'
    given.write_text(''.join(f'{number}\tnote {number}\n' for number in range(100, 5100)))
    seen = psql(
        address,
        rf"""
\copy psql_owners FROM '{given}'
\copy (SELECT * FROM psql_owners ORDER BY id) TO '{taken}' (FORMAT csv)
COPY psql_owners FROM STDIN;
6000	by hand
\.
COPY psql_owners FROM STDIN;
no	number
\.
COPY (SELECT count(*), min(email) FROM psql_owners) TO STDOUT;
""",
    )
    return [seen, len(taken.read_text().splitlines())]


def error_stop(address: Address) -> object:
    script = "BEGIN; SELECT 1/0; SELECT 'in it'; COMMIT; SELECT 'after';"
    return [
        psql(address, script, '-v', 'ON_ERROR_STOP=1'),
        psql(address, script.replace(';', ';\n'), '-v', 'ON_ERROR_ROLLBACK=on'),
        psql(address, '', '-1', '-c', 'CREATE TEMPORARY TABLE a (i int)', '-c', 'SELECT * FROM a', '-c', 'SELECT 1/0'),
    ]


def watch_and_crosstab(address: Address) -> object:
    return psql(
        address,
        r"""
\t on
\pset title fixed
SELECT generate_series(1, 2) \watch c=1 i=0.05
SELECT 'SELECT ' || n FROM generate_series(1, 3) n \gexec
\t off
SELECT n / 2 AS r, n % 2 AS c, n AS v FROM generate_series(0, 3) n \crosstabview
""",
    )


PSQL: dict[str, Feature] = {
    'log-in': log_in,
    'describe-commands': describe_commands,
    'variables': variables,
    'pipeline': pipeline,
    'copy-command': copy_command,
    'error-stop': error_stop,
    'watch-and-crosstab': watch_and_crosstab,
}
