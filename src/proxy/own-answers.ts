import { HatiError } from '../errors.ts';
import type { Actor, Description, KeyFunctions, SystemRelations } from '../ports.ts';
import type { CallArgument, Statement, SystemCall } from '../sql/statement.ts';
import {
  commandComplete,
  noData,
  parameterDescription,
  textDataRow,
  textOid,
  textRowDescription,
} from '../wire/backend-messages.ts';
import type { DecodedBind } from '../wire/decode.ts';
import type { SessionParameters } from './session-parameters.ts';

/** Carries out the statements that HatiData answers itself, for the simple and the extended protocol. */

export interface OwnAnswerParts {
  readonly keys: KeyFunctions;
  readonly relations: SystemRelations;
  readonly parameters: SessionParameters;
  readonly actor: Actor;
}

/** A result in the shape that both protocols need. */
export interface OwnResult {
  /** RowDescription, or NoData where there are no rows to describe. */
  readonly row: Buffer;
  /** DataRow messages. */
  readonly rows: readonly Buffer[];
  /** Command tag; for SELECT without its count. */
  readonly tag: 'SELECT' | 'SET' | 'RESET' | 'SHOW';
}

/** Values of a Bind, with the text of the message's part that follows the two names. */
export interface BoundValues {
  readonly bind: DecodedBind;
  readonly tail: Buffer;
  readonly parameterTypes: readonly number[];
}

/** A whole answer to a simple Query, without ReadyForQuery. */
export async function answerSimple(parts: OwnAnswerParts, statement: Statement): Promise<Buffer> {
  const system = systemCall(statement);
  if (system.kind === 'systemRead') return parts.relations.query(statement, parts.actor.principal);
  const { row, rows, tag } = await run(parts, system, undefined);
  const description = row.equals(noData) ? [] : [row];
  return Buffer.concat([...description, ...rows, commandComplete(tagWithCount(tag, rows.length))]);
}

export function tagWithCount(tag: OwnResult['tag'], rows: number): string {
  return tag === 'SELECT' ? `SELECT ${rows}` : tag;
}

/** What Describe of the statement answers; also finds most mistakes at Parse, where PostgreSQL finds them. */
export async function describe(
  parts: OwnAnswerParts,
  statement: Statement,
  parameterTypes: readonly number[],
): Promise<Description> {
  const system = systemCall(statement);
  switch (system.kind) {
    case 'systemRead':
      return parts.relations.describe(statement, parameterTypes);
    case 'keyFunction': {
      const count = Math.max(
        0,
        ...system.args.map((argument) => ('parameter' in argument ? argument.parameter : 0)),
      );
      const oids = Array.from({ length: count }, (_, at) => checkedTextType(parameterTypes[at]));
      return { parameters: parameterDescription(oids), row: textRowDescription([system.column]) };
    }
    case 'sessionParameter':
      return { parameters: parameterDescription([]), row: parameterRow(system) };
    case 'misused':
      throw new Error('a misused statement is refused before it is described');
  }
}

/** Runs a bound statement. */
export function execute(
  parts: OwnAnswerParts,
  statement: Statement,
  values: BoundValues,
): Promise<OwnResult> {
  return run(parts, systemCall(statement), { ...values, statement });
}

async function run(
  parts: OwnAnswerParts,
  system: SystemCall,
  bound: (BoundValues & { readonly statement: Statement }) | undefined,
): Promise<OwnResult> {
  switch (system.kind) {
    case 'systemRead': {
      if (bound === undefined) throw new Error('a simple read is answered as a whole');
      const { statement, parameterTypes, tail } = bound;
      const { relations, actor } = parts;
      const result = await relations.execute(statement, parameterTypes, tail, actor.principal);
      return { ...result, tag: 'SELECT' };
    }
    case 'keyFunction': {
      const args = system.args.map((argument) => argumentValue(argument, bound?.bind));
      const value = await parts.keys.call(system.name, args, parts.actor);
      const format = bound?.bind.resultFormats[0] === 1 ? 1 : 0;
      return {
        row: textRowDescription([system.column], format),
        rows: [textDataRow([value])],
        tag: 'SELECT',
      };
    }
    case 'sessionParameter':
      return changeParameter(parts.parameters, system);
    case 'misused':
      throw new Error('a misused statement is refused before it runs');
  }
}

function changeParameter(
  parameters: SessionParameters,
  system: Extract<SystemCall, { kind: 'sessionParameter' }>,
): OwnResult {
  const { operation, values } = system.change;
  const name = system.change.name!;
  const row = parameterRow(system);
  switch (operation) {
    case 'show':
      return { row, rows: [textDataRow([parameters.get(name) ?? ''])], tag: 'SHOW' };
    case 'set':
      if (values === undefined || values.length === 0) parameters.reset(name);
      else parameters.set(name, values.join(', '));
      return { row, rows: [], tag: 'SET' };
    case 'reset':
      parameters.reset(name);
      return { row, rows: [], tag: 'RESET' };
  }
}

function parameterRow(system: Extract<SystemCall, { kind: 'sessionParameter' }>): Buffer {
  return system.change.operation === 'show' ? textRowDescription([system.change.name!]) : noData;
}

function argumentValue(argument: CallArgument, bind: DecodedBind | undefined): string | null {
  if ('value' in argument) return argument.value;
  if (bind === undefined) {
    throw new HatiError('argument_invalid', {
      params: { message: `there is no parameter $${argument.parameter}` },
    });
  }
  // Text and binary are the same bytes for text.
  return bind.parameters[argument.parameter - 1]?.toString('utf8') ?? null;
}

/** unspecified, text, name, bpchar, varchar, unknown: types whose binary form is their text. */
const textTypes: ReadonlySet<number> = new Set([0, textOid, 19, 1042, 1043, 705]);

function checkedTextType(oid: number | undefined): number {
  const type = oid ?? 0;
  if (!textTypes.has(type)) {
    throw new HatiError('argument_invalid', {
      params: { message: 'the arguments of this function are of type text' },
    });
  }
  return type === 0 || type === 705 ? textOid : type;
}

function systemCall(statement: Statement): SystemCall {
  if (statement.system === undefined) throw new Error('not a statement of ours');
  return statement.system;
}
