/**
 * Names for the bytes of the PostgreSQL protocol.
 * Source: https://www.postgresql.org/docs/18/protocol-message-formats.html
 */

const code = (letter: string): number => letter.charCodeAt(0);

/** Type bytes that a client sends. */
export const Frontend = {
  Bind: code('B'),
  Close: code('C'),
  CopyData: code('d'),
  CopyDone: code('c'),
  CopyFail: code('f'),
  Describe: code('D'),
  Execute: code('E'),
  Flush: code('H'),
  FunctionCall: code('F'),
  Parse: code('P'),
  Password: code('p'),
  Query: code('Q'),
  Sync: code('S'),
  Terminate: code('X'),
} as const;

/** Type bytes that a server sends. */
export const Backend = {
  Authentication: code('R'),
  BackendKeyData: code('K'),
  BindComplete: code('2'),
  CloseComplete: code('3'),
  CommandComplete: code('C'),
  CopyBothResponse: code('W'),
  CopyData: code('d'),
  CopyInResponse: code('G'),
  CopyOutResponse: code('H'),
  DataRow: code('D'),
  EmptyQueryResponse: code('I'),
  ErrorResponse: code('E'),
  NegotiateProtocolVersion: code('v'),
  NoData: code('n'),
  NoticeResponse: code('N'),
  NotificationResponse: code('A'),
  ParameterDescription: code('t'),
  ParameterStatus: code('S'),
  ParseComplete: code('1'),
  PortalSuspended: code('s'),
  ReadyForQuery: code('Z'),
  RowDescription: code('T'),
} as const;

/** The status byte of ReadyForQuery. */
export type TransactionStatus = 'idle' | 'inTransaction' | 'failed';

export function transactionStatus(byte: number | undefined): TransactionStatus {
  if (byte === code('I')) return 'idle';
  return byte === code('T') ? 'inTransaction' : 'failed';
}

export function transactionStatusByte(status: TransactionStatus): number {
  if (status === 'idle') return code('I');
  return status === 'inTransaction' ? code('T') : code('E');
}

/** Type byte plus the length word. */
export const headerBytes = 5;
