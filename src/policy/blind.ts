import type { FunctionRef, RelationRef, Statement } from '../sql/statement.ts';
import { named, type Catalogue, type Surroundings, type UserRelation } from './catalogue.ts';

/**
 * Statements that can't tell which agent runs them: their answer depends on the tables, the engine's role and the settings that
 * were set, so that a connection on which no agent is named serves them as well (`proxy/lane/`).
 *
 * Only for statements of which is known that they run nothing but built-ins of `builtin-functions.ts` and operators of reviewed
 * extensions, and change and read no settings (`leavesNothing`). A row policy may ask for the agent; another server may be told the
 * application's name; a relation of the system may show either. What is not known is not blind.
 */
export function isBlind(statement: Statement, around: Surroundings): boolean {
  const { settings, functions, relations } = statement;
  return (
    settings.length === 0 &&
    !functions.some((ref) => mayLookAround(ref, around)) &&
    relations.every((ref) => isBlindName(ref, around))
  );
}

/** What looks at its session, by its settings or otherwise; and random numbers, by which those of another agent could be foretold. */
const lookers: ReadonlySet<string> = new Set([
  ...['current_setting', 'set_config', 'current_query', 'row_security_active'],
  ...['inet_client_addr', 'inet_client_port'],
  ...['random', 'random_normal', 'array_sample', 'array_shuffle', 'bernoulli', 'system'],
]);

/** All that is about PostgreSQL itself begins alike; and `hatidata.agent_id()` is one that is not PostgreSQL's. */
function mayLookAround(ref: FunctionRef, { catalogue, searched }: Surroundings): boolean {
  const isOwn = named(catalogue.functions, ref, searched).length > 0;
  return isOwn || ref.name.startsWith('pg_') || lookers.has(ref.name);
}

/** A name without a schema means a relation of the system first. */
function isBlindName(ref: RelationRef, { catalogue, searched }: Surroundings): boolean {
  if (ref.schema === undefined) {
    if (ref.name.startsWith('pg_') || searched?.has('information_schema') !== false) return false;
  }
  const meant = named(catalogue.relations, ref, searched);
  return meant.length > 0 && meant.every((relation) => isBlindRelation(relation, catalogue));
}

function isBlindRelation({ readsAlike, view, reads }: UserRelation, catalogue: Catalogue): boolean {
  return (
    readsAlike &&
    view !== 'unreadable' &&
    // What PostgreSQL prints of a view has a schema wherever pg_catalog is not meant.
    (view === undefined || isBlind(view, { catalogue, searched: new Set() })) &&
    reads.every((each) => isBlindRelation(each, catalogue))
  );
}
