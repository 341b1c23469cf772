"""LangChain's SQLDatabase, and the tools that an agent gets of it. No language model has a part in it."""

from __future__ import annotations

from langchain_community.tools.sql_database.tool import (
    InfoSQLDatabaseTool,
    ListSQLDatabaseTool,
    QuerySQLDatabaseTool,
)
from langchain_community.utilities import SQLDatabase
from sqlalchemy import URL
from sqlalchemy.pool import NullPool

from matrix import Address
from tool import Feature, sql

TABLES = ['langchain_artists', 'langchain_albums']


def database(address: Address) -> SQLDatabase:
    sql(
        address,
        f'DROP TABLE IF EXISTS {", ".join(TABLES)}',
        'CREATE TABLE langchain_artists (id int PRIMARY KEY, name varchar(80) NOT NULL)',
        'CREATE TABLE langchain_albums (id int PRIMARY KEY, artist int REFERENCES langchain_artists, tags text[])',
        "INSERT INTO langchain_artists VALUES (1, 'Ö'), (2, 'B'), (3, 'C')",
        "INSERT INTO langchain_albums VALUES (1, 1, '{a,b}')",
    )
    parts = (address.user, address.password, address.host, address.port, address.database, {'sslmode': 'disable'})
    url = URL.create('postgresql+psycopg', *parts)
    return SQLDatabase.from_uri(
        url, engine_args={'poolclass': NullPool}, include_tables=TABLES, sample_rows_in_table_info=2
    )


def table_info(address: Address) -> object:
    own = database(address)
    return [own.dialect, sorted(own.get_usable_table_names()), own.get_table_info(), sorted(own.get_context())]


def run(address: Address) -> object:
    own = database(address)
    return [
        own.run('SELECT name FROM langchain_artists ORDER BY id'),
        own.run('SELECT name FROM langchain_artists WHERE id = :id', parameters={'id': 2}, include_columns=True),
        own.run("INSERT INTO langchain_artists VALUES (4, 'D')"),
        own.run('SELECT count(*) FROM langchain_artists', fetch='one'),
        own.run_no_throw('SELECT nothing FROM langchain_artists'),
    ]


def toolkit(address: Address) -> object:
    own = database(address)
    return [
        ListSQLDatabaseTool(db=own).invoke(''),
        InfoSQLDatabaseTool(db=own).invoke('langchain_artists, langchain_albums'),
        QuerySQLDatabaseTool(db=own).invoke('SELECT id, tags FROM langchain_albums'),
        QuerySQLDatabaseTool(db=own).invoke('SELEKT'),
    ]


LANGCHAIN: dict[str, Feature] = {'table-info': table_info, 'run': run, 'toolkit': toolkit}
