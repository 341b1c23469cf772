import type {
  CopyStmt,
  DeclareCursorStmt,
  DefElem,
  DiscardStmt,
  LockingClause,
  LockStmt,
  Node,
  SelectStmt,
  TransactionStmt,
  UpdateStmt,
  VacuumStmt,
  VariableSetStmt,
  VariableShowStmt,
} from '@pgsql/types';
import type { Findings } from './findings.ts';
import {
  changeOfCatalogueUpdate,
  changeOfSet,
  mayPutTemporaryFirst,
  settingOfCatalogueRow,
} from './setting-changes.ts';
import { maskedReading } from './stand-in-views.ts';
import { namedSettings, readableCalls, readOf } from './setting-reads.ts';
import type { Act, SettingChange } from './statement.ts';
import { noLimitOf } from './time-limits.ts';

/** The statements whose act depends on more than their name. */

const unknown = (verb: string): Act => ({ class: 'unknown', verb });

export function select(
  statement: SelectStmt,
  findings: Findings,
  parent: string | undefined,
): void {
  // The rows that INSERT … VALUES writes are not read from anywhere.
  if (parent !== 'InsertStmt' || !statement.valuesLists)
    findings.act({ class: 'read', verb: 'SELECT' });
  const maskedSource = maskedReading(statement);
  if (maskedSource) findings.maskedReadings.add(maskedSource);
  for (const call of readableCalls(statement)) findings.namedSettings.add(call);
  const read = namedSettings(statement);
  if (read) {
    findings.namedSettings.add(read.source);
    findings.settings.push(...read.names.map(readOf));
  }
  const named = parent === undefined ? settingOfCatalogueRow(statement) : undefined;
  if (named) findings.resolvedSettings.set(named.call, named.name);
}

const lockStrengths: Readonly<Record<string, string>> = {
  LCS_FORKEYSHARE: 'SELECT FOR KEY SHARE',
  LCS_FORSHARE: 'SELECT FOR SHARE',
  LCS_FORNOKEYUPDATE: 'SELECT FOR NO KEY UPDATE',
  LCS_FORUPDATE: 'SELECT FOR UPDATE',
};

export function lockingClause(clause: LockingClause, findings: Findings): void {
  findings.act({
    class: 'lock',
    verb: lockStrengths[clause.strength ?? ''] ?? 'SELECT FOR UPDATE',
  });
}

/** AccessShareLock (lockdefs.h); where no mode is given, the parser puts ACCESS EXCLUSIVE. */
const accessShare = 1;

export function lockTable({ mode }: LockStmt, findings: Findings): void {
  findings.act({ class: mode === accessShare ? 'readLock' : 'lock', verb: 'LOCK TABLE' });
}

export function update(statement: UpdateStmt, findings: Findings): void {
  findings.act({ class: 'write', verb: 'UPDATE' });
  const { relname, schemaname } = statement.relation ?? {};
  if (relname === 'pg_settings' && (schemaname ?? 'pg_catalog') === 'pg_catalog') {
    findings.settings.push(changeOfCatalogueUpdate);
    findings.effects.add('setting');
  }
}

export function copy(statement: CopyStmt, findings: Findings): void {
  if (statement.is_program)
    findings.act({ class: 'serverAccess', verb: 'COPY with a program of the server' });
  else if (statement.filename !== undefined) {
    findings.act({ class: 'serverAccess', verb: 'COPY with a file of the server' });
  } else if (statement.is_from) {
    findings.act({ class: 'write', verb: 'COPY' });
    findings.effects.add('copyIn');
  } else findings.act({ class: 'read', verb: 'COPY' });
}

/** The inner statement is judged as if it ran: with ANALYZE it does, and the last of several options wins. */
export function explain(_statement: unknown, findings: Findings): void {
  findings.act({ class: 'read', verb: 'EXPLAIN' });
}

export function vacuum(statement: VacuumStmt, findings: Findings): void {
  findings.act({ class: 'maintenance', verb: statement.is_vacuumcmd ? 'VACUUM' : 'ANALYZE' });
}

const holdOption = 0x20;

export function declareCursor(statement: DeclareCursorStmt, findings: Findings): void {
  findings.act({ class: 'object', verb: 'DECLARE' });
  findings.declared.add(statement.portalname ?? '');
  findings.effects.add((statement.options ?? 0) & holdOption ? 'cursorWithHold' : 'cursor');
}

export function discard(statement: DiscardStmt, findings: Findings): void {
  findings.act({ class: 'reset', verb: (statement.target ?? 'DISCARD').replace('_', ' ') });
  if (statement.target !== 'DISCARD_ALL') return;
  for (const effect of ['endsPrepared', 'resetsSettings', 'endsState'] as const)
    findings.effects.add(effect);
}

export function routine(verb: string): (statement: unknown, findings: Findings) => void {
  return (_statement, findings) => {
    findings.act({ class: 'routine', verb });
    findings.effects.add('opaque');
  };
}

const transactionActs: Readonly<Record<string, Act>> = {
  TRANS_STMT_BEGIN: { class: 'transaction', verb: 'BEGIN' },
  TRANS_STMT_START: { class: 'transaction', verb: 'START TRANSACTION' },
  TRANS_STMT_COMMIT: { class: 'transaction', verb: 'COMMIT' },
  TRANS_STMT_ROLLBACK: { class: 'transaction', verb: 'ROLLBACK' },
  TRANS_STMT_SAVEPOINT: { class: 'transaction', verb: 'SAVEPOINT' },
  TRANS_STMT_RELEASE: { class: 'transaction', verb: 'RELEASE SAVEPOINT' },
  TRANS_STMT_ROLLBACK_TO: { class: 'transaction', verb: 'ROLLBACK TO SAVEPOINT' },
  TRANS_STMT_PREPARE: { class: 'twoPhase', verb: 'PREPARE TRANSACTION' },
  TRANS_STMT_COMMIT_PREPARED: { class: 'twoPhase', verb: 'COMMIT PREPARED' },
  TRANS_STMT_ROLLBACK_PREPARED: { class: 'twoPhase', verb: 'ROLLBACK PREPARED' },
};

export function transaction(statement: TransactionStmt, findings: Findings): void {
  const act = transactionActs[statement.kind ?? ''] ?? unknown('TRANSACTION');
  if (asksForWriting(statement.options)) {
    findings.act({ class: 'transactionReadWrite', verb: `${act.verb} READ WRITE` });
  } else findings.act(act);
}

/** READ WRITE anywhere in the list counts, whatever stands behind it. */
function asksForWriting(options: readonly Node[] | undefined): boolean {
  return (options ?? []).some((option) => 'DefElem' in option && isReadWrite(option.DefElem));
}

function isReadWrite(option: DefElem): boolean {
  if (option.defname !== 'transaction_read_only') return false;
  const value = option.arg;
  return !(value && 'A_Const' in value && value.A_Const.ival?.ival === 1);
}

const identitySettings: Readonly<Record<string, string>> = {
  role: 'ROLE',
  session_authorization: 'SESSION AUTHORIZATION',
};

/** `parent` is there when SET is a clause of ALTER ROLE, ALTER DATABASE, ALTER SYSTEM or CREATE FUNCTION. */
export function variableSet(
  statement: VariableSetStmt,
  findings: Findings,
  parent: string | undefined,
): void {
  if (statement.kind === 'VAR_SET_MULTI') {
    multiSet(statement, findings);
    return;
  }
  if (statement.kind === 'VAR_RESET_ALL') {
    if (parent !== undefined) return;
    findings.act({ class: 'reset', verb: 'RESET ALL' });
    findings.effects.add('resetsSettings');
    return;
  }
  const change = changeOfSet(statement, parent === undefined ? 'session' : 'stored');
  const identity = identitySettings[change.name ?? ''];
  const verb = change.operation === 'reset' ? 'RESET' : 'SET';
  // Pools send these between clients. Nobody can have changed the role before, so they change nothing.
  if (parent === undefined && identity && restoresIdentity(change)) {
    findings.act({ class: 'reset', verb: `${verb} ${identity}` });
    return;
  }
  findings.settings.push(change);
  if (parent !== undefined) return;
  const limit = noLimitOf(statement, change);
  if (limit) findings.standIns.push(limit);
  findings.act(
    identity ? { class: 'identity', verb: `${verb} ${identity}` } : { class: 'setting', verb },
  );
  findings.effects.add('setting');
  if (mayPutTemporaryFirst(change)) findings.effects.add('temporaryTable');
}

/** RESET, TO DEFAULT, SET ROLE NONE; `none` is the one spelling that PostgreSQL knows. */
function restoresIdentity({ name, values }: SettingChange): boolean {
  return values?.length === 0 || (name === 'role' && values?.join() === 'none');
}

/** SET TRANSACTION, SET SESSION CHARACTERISTICS AS TRANSACTION, SET TRANSACTION SNAPSHOT. */
function multiSet(statement: VariableSetStmt, findings: Findings): void {
  const session = statement.name === 'SESSION CHARACTERISTICS';
  if (!session && !statement.name?.startsWith('TRANSACTION')) {
    findings.act(unknown('SET'));
    return;
  }
  const verb = session ? 'SET SESSION CHARACTERISTICS AS TRANSACTION' : 'SET TRANSACTION';
  if (session) findings.effects.add('setting');
  if (asksForWriting(statement.args))
    findings.act({ class: 'transactionReadWrite', verb: `${verb} READ WRITE` });
  else findings.act({ class: 'transaction', verb });
}

export function variableShow(statement: VariableShowStmt, findings: Findings): void {
  findings.act({ class: 'setting', verb: 'SHOW' });
  findings.settings.push(readOf(statement.name ?? ''));
}
