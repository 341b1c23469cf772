/**
 * What the driver matrix asks of every driver: a fixed list, so that a suite which forgets a feature fails. Each suite
 * implements what its driver can do, says `unsupported` and why for the rest, and reports one `Report` a line.
 */

export interface Feature {
  readonly name: string;
  /** What the suite does, for the reader of docs/compatibility.md. */
  readonly does: string;
}

export interface FeatureGroup {
  readonly title: string;
  readonly features: readonly Feature[];
}

const group = (title: string, features: Readonly<Record<string, string>>): FeatureGroup => ({
  title,
  features: Object.entries(features).map(([name, does]) => ({ name, does })),
});

/**
 * Asked of every driver. "Others" are neighbours on connections of their own, who run transactions between the steps, so
 * that a proxy which shares engine connections gives this client another one.
 */
export const driverFeatures: readonly FeatureGroup[] = [
  group('Connection', {
    connect: 'log in; server version, database, user, and the parameters that the server reports',
    'wrong-password': 'refused with 28P01',
    reconnect: 'ten short connections, each with a statement of the same name and another text',
    'abrupt-close':
      'the socket ends inside a transaction: it is rolled back and its locks are gone',
    'concurrent-clients':
      '24 clients at once on six engine connections, each with transactions, a setting and a statement of its own',
  }),
  group('Statements', {
    'simple-query': 'several statements in one text, with all their results',
    'empty-query': 'a text without a statement',
    'parameters-text': 'parameters and results in text format',
    'parameters-binary': 'parameters and results in binary format',
    'unnamed-statement': 'unnamed statements, others between them',
    'named-statement': 'prepared once, executed in several transactions, others between them',
    'same-name': 'two clients with the same statement name and different texts',
    'close-statement': 'closed, the name used again for another text',
    'deallocate-all': 'DEALLOCATE ALL in SQL, prepared again',
    'discard-all': 'DISCARD ALL: settings, temporary tables and prepared statements are gone',
    'sql-prepare': 'PREPARE, EXECUTE in later transactions, DEALLOCATE',
    'changed-table': 'a prepared SELECT * after its table got a column',
    batch: 'many statements sent before the first answer is read',
    'batch-error': 'one in the middle fails; what came before and after, and the session goes on',
    'rows-in-parts': 'a portal or cursor read in parts inside a transaction',
    cancel: 'a running statement is cancelled, and no other; the session goes on',
    'statement-timeout': 'ended with 57014',
    'error-fields': 'severity, SQLSTATE, detail, table, constraint and position of errors',
    notices: 'RAISE NOTICE and WARNING with their fields',
  }),
  group('Transactions', {
    commit: 'seen by another client afterwards, not before',
    rollback: 'never seen',
    savepoint: 'rolled back to, released',
    'error-in-transaction': '25P02 until ROLLBACK, then usable',
    isolation: 'SERIALIZABLE and READ ONLY as the driver sets them; a write is refused with 25006',
    'two-phase': 'PREPARE TRANSACTION, COMMIT PREPARED from another connection',
  }),
  group('What a session keeps', {
    'set-survives': 'SET of several parameters, others between, and RESET',
    'set-local': 'SET LOCAL ends with its transaction; SET in one that is rolled back is undone',
    'temporary-table': 'used in later transactions; the neighbour does not see it',
    'advisory-lock': 'held over transactions against a neighbour, and freed',
    'listen-notify':
      'LISTEN, others between, a notification with payload from a neighbour; UNLISTEN',
    'cursor-hold': 'a WITH HOLD cursor read after its transaction',
    'sequence-value': 'currval() after nextval() in an earlier transaction',
  }),
  group('Bulk', {
    'copy-in': 'COPY FROM STDIN, 10,000 rows of text',
    'copy-out': 'COPY TO STDOUT, 10,000 rows of text',
    'copy-binary': 'both ways in binary format',
    'copy-failed': 'a broken line (22P02), and a client that gives up (57014); the session goes on',
    'large-value': '8 MB as a parameter and as a result',
    'many-rows': '50,000 rows in one result',
    'large-object': 'by the functions of SQL: made, written, read in parts, unlinked',
    'large-object-api': 'by the driver’s own interface, which sends FunctionCall messages',
  }),
  group('Types and names', {
    'null-values': 'of several types, as parameters and results',
    arrays: 'of numbers and text, with NULL, quotes and two dimensions',
    json: 'json and jsonb, nested, with escapes',
    timestamps: 'timestamptz, timestamp, date, time, interval, infinity',
    numerics: 'smallint to bigint limits, numeric of many digits, NaN, floats',
    'bytes-uuid': 'bytea with every byte, uuid',
    'own-types': 'an enum and a composite type made a moment ago, read by the driver’s type lookup',
    unicode: 'text of four-byte characters, quoted names',
    metadata:
      'columns, types, keys and indexes of a table, by the driver’s own interface if it has one',
  }),
];

/** Asked of tools; each names its own in `suites.ts`. */
export const toolFeatures: readonly FeatureGroup[] = [
  group('Tools', {
    'log-in': 'user, encoding, and what psql knows of the server',
    'describe-commands': '\\d, \\dt, \\df, \\dn, \\l, \\d+ and their kin',
    variables: '\\gset, \\bind, \\parse, \\bind_named, \\close_prepared',
    pipeline: '\\startpipeline … \\endpipeline, an error and Syncs in it',
    'copy-command': '\\copy in both directions',
    'error-stop': 'ON_ERROR_STOP and ON_ERROR_ROLLBACK',
    'watch-and-crosstab': '\\watch, \\gexec, \\crosstabview',
    initialise: 'pgbench -i with a primary key and partitions, generated on either side',
    'tpcb-like': 'the built-in transaction, 8 clients, all balances right afterwards',
    'select-only': 'the built-in read, 8 clients, a new connection for each transaction',
    'custom-script':
      'savepoints, settings, an advisory lock and a rollback in a script, 8 clients, none sees another’s',
    'retry-serialization': 'serialization failures are retried until all is done',
    'completion-metadata':
      'what completion reads: schemas, tables, columns, keys, functions, types',
    'command-line': 'statements and backslash commands from the command line',
    seed: 'dbt seed, twice',
    models: 'dbt run: a view, a table, an incremental model, and the same again',
    tests: 'dbt test: passing and failing ones',
    snapshot: 'dbt snapshot before and after a change',
    catalog: 'dbt docs generate: the catalogue of the project',
    'table-info': 'SQLDatabase.get_table_info with sample rows',
    run: 'SQLDatabase.run: rows, parameters, an error in words',
    toolkit: 'the list, schema and query tools that an agent is given',
  }),
];

const all = [...driverFeatures, ...toolFeatures].flatMap(({ features }) => features);
export const featureNames: ReadonlySet<string> = new Set(all.map(({ name }) => name));
