import { HatiError } from '../errors.ts';
import type { Description } from '../ports.ts';
import { SeldomMap } from '../shared/seldom.ts';
import type { Statement } from '../sql/statement.ts';
import {
  bindComplete,
  closeComplete,
  commandComplete,
  parseComplete,
  portalSuspended,
} from '../wire/backend-messages.ts';
import {
  decodeBind,
  type DecodedExecute,
  type DecodedParse,
  type ObjectName,
} from '../wire/decode.ts';
import { headerBytes } from '../wire/protocol.ts';
import {
  describe,
  execute,
  tagWithCount,
  type BoundValues,
  type OwnAnswerParts,
  type OwnResult,
} from './own-answers.ts';

/** Prepared statements of a session are few; more is a client that never closes them. */
const mostStatements = 1_000;

interface OwnStatement {
  readonly statement: Statement;
  readonly parameterTypes: readonly number[];
  readonly description: Description;
  readonly parameterCount: number;
}

interface OwnPortal {
  readonly statement: OwnStatement;
  readonly values: BoundValues;
  /** Set when it has run; it runs once. */
  result: OwnResult | undefined;
  /** Rows handed out so far. */
  at: number;
}

/**
 * The prepared statements and portals of the extended protocol that hold statements of ours. They live beside the
 * engine's own; a name that is found here is ours. Each method returns the answer to send, or throws what to refuse.
 */
export class OwnObjects {
  private readonly parts: OwnAnswerParts;
  private readonly statements = new SeldomMap<string, OwnStatement>();
  private readonly portals = new SeldomMap<string, OwnPortal>();

  constructor(parts: OwnAnswerParts) {
    this.parts = parts;
  }

  get isEmpty(): boolean {
    return this.statements.size === 0 && this.portals.size === 0;
  }

  get statementCount(): number {
    return this.statements.size;
  }

  hasStatement(name: string): boolean {
    return this.statements.has(name);
  }

  has({ kind, name }: ObjectName): boolean {
    return kind === 'statement' ? this.statements.has(name) : this.portals.has(name);
  }

  /** The client prepares something of the engine's under this name; only the unnamed statement may be replaced. */
  yieldStatement(name: string): void {
    if (name === '') this.statements.delete('');
    else if (this.statements.has(name)) throw taken(name);
  }

  yieldPortal(name: string): void {
    if (name === '') this.portals.delete('');
    else if (this.portals.has(name)) throw new HatiError('portal_exists', { params: { name } });
  }

  /** Portals end with the transaction. */
  endOfTransaction(): void {
    if (this.portals.size > 0) this.portals.clear();
  }

  /** All prepared statements of the session end. */
  clear(): void {
    this.statements.clear();
    this.portals.clear();
  }

  async parse(message: DecodedParse, statement: Statement): Promise<Buffer> {
    if (message.name !== '' && this.statements.has(message.name)) throw taken(message.name);
    if (this.statements.size >= mostStatements) {
      throw new HatiError('argument_invalid', {
        params: {
          message: `a session can have at most ${mostStatements} prepared statements of HatiData`,
        },
      });
    }
    const description = await describe(this.parts, statement, message.parameterTypes);
    this.statements.set(message.name, {
      statement,
      parameterTypes: message.parameterTypes,
      description,
      // ParameterDescription: header, then the count.
      parameterCount: description.parameters.readUInt16BE(5),
    });
    return parseComplete;
  }

  bind(raw: Buffer): Buffer {
    const bind = decodeBind(raw);
    const statement = this.statements.get(bind.statement);
    if (statement === undefined) {
      throw new HatiError('prepared_statement_unknown', { params: { name: bind.statement } });
    }
    this.yieldPortal(bind.portal);
    if (bind.parameters.length !== statement.parameterCount) {
      throw new HatiError('protocol_violation', {
        params: {
          reason: `bind message supplies ${bind.parameters.length} parameters, but the prepared statement requires ${statement.parameterCount}`,
        },
      });
    }
    const names = Buffer.byteLength(bind.portal) + Buffer.byteLength(bind.statement) + 2;
    if (this.portals.size >= mostStatements) {
      const message = `a transaction can have at most ${mostStatements} portals of HatiData`;
      throw new HatiError('argument_invalid', { params: { message } });
    }
    this.portals.set(bind.portal, {
      statement,
      values: {
        bind,
        tail: raw.subarray(headerBytes + names),
        parameterTypes: statement.parameterTypes,
      },
      result: undefined,
      at: 0,
    });
    return bindComplete;
  }

  async describe({ kind, name }: ObjectName): Promise<Buffer> {
    if (kind === 'statement') {
      const { parameters, row } = this.statements.get(name)!.description;
      return Buffer.concat([parameters, row]);
    }
    const portal = this.portals.get(name)!;
    // A read can be run to learn its formats; what changes something waits for Execute.
    if (portal.statement.statement.system?.kind === 'systemRead') {
      portal.result ??= await execute(this.parts, portal.statement.statement, portal.values);
      return portal.result.row;
    }
    return inFormat(portal.statement.description.row, portal.values.bind.resultFormats[0]);
  }

  async execute({ portal: name, maxRows }: DecodedExecute): Promise<Buffer> {
    const portal = this.portals.get(name);
    if (portal === undefined) throw new HatiError('portal_unknown', { params: { name } });
    portal.result ??= await execute(this.parts, portal.statement.statement, portal.values);
    const { rows, tag } = portal.result;
    const batch = rows.slice(portal.at, maxRows === 0 ? undefined : portal.at + maxRows);
    portal.at += batch.length;
    // As PostgreSQL does: a limit that was reached suspends, even when no row is left behind it.
    const suspended = maxRows !== 0 && batch.length === maxRows;
    const end = suspended ? portalSuspended : commandComplete(tagWithCount(tag, batch.length));
    return Buffer.concat([...batch, end]);
  }

  close({ kind, name }: ObjectName): Buffer {
    if (kind === 'statement') this.statements.delete(name);
    else this.portals.delete(name);
    return closeComplete;
  }
}

function taken(name: string): HatiError {
  return new HatiError('prepared_statement_exists', { params: { name } });
}

/** The format code is the last word of a one-column RowDescription; NoData has none. */
function inFormat(row: Buffer, format: number | undefined): Buffer {
  if (format !== 1 || row.length <= 7) return row;
  const copy = Buffer.from(row);
  copy.writeInt16BE(1, copy.length - 2);
  return copy;
}
