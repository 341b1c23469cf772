import type { RelationRef } from '../sql/statement.ts';
import { adminHint, type Refusal } from './refusal.ts';

/**
 * System relations that a readonly key may not read, by name and whatever their schema (extensions put theirs where
 * they like). The engine's reader role is refused most of them as well; this list does not rely on it.
 */
const refused: ReadonlyMap<string, string> = new Map([
  ...because('it holds passwords or connection strings', [
    ...[
      'pg_authid',
      'pg_shadow',
      'pg_user_mapping',
      'pg_user_mappings',
      'user_mapping_options',
      '_pg_user_mappings',
    ],
    ...['pg_subscription', 'pg_stat_wal_receiver', 'pg_stat_subscription'],
  ]),
  ...because("it shows the server's configuration files", [
    ...['pg_hba_file_rules', 'pg_file_settings', 'pg_ident_file_mappings'],
  ]),
  ...because('it shows statements of other sessions', [
    ...['pg_stat_activity', 'pg_stat_replication', 'pg_stat_statements', 'pg_stat_statements_info'],
  ]),
  ...because('it holds raw values of other relations', [
    ...['pg_largeobject', 'pg_statistic', 'pg_statistic_ext_data'],
  ]),
]);

const refusedSchemas: ReadonlyMap<string, string> = new Map([
  ['pg_toast', 'it holds raw values of other relations'],
]);

export function judgeRelation({ schema, name }: RelationRef): Refusal | undefined {
  const reason = refused.get(name) ?? refusedSchemas.get(schema ?? '');
  if (reason === undefined) return undefined;
  const relation = schema === undefined ? name : `${schema}.${name}`;
  return {
    code: 'relation_not_allowed',
    params: { relation },
    hint: `${reason[0]?.toUpperCase()}${reason.slice(1)}. ${adminHint}`,
  };
}

function because(reason: string, names: readonly string[]): [string, string][] {
  return names.map((name) => [name, reason]);
}
