import type { EngineStatement } from '../../engine/pool/engine-statement.ts';
import type { EngineLink } from '../../engine/pool/link.ts';
import { BackendScanner } from '../../wire/backend-scanner.ts';
import { closeStatement, describeStatement, sync } from '../../wire/frontend-messages.ts';
import { Backend } from '../../wire/protocol.ts';
import { resultShape } from '../../wire/result-shape.ts';
import type { Rider } from './rider.ts';

/**
 * Prepares a statement on a connection where it is not, and asks what it gives there: a ride of our own.
 * @param onOver called once, whatever became of it
 */
export function description(
  link: EngineLink,
  statement: EngineStatement,
  onOver: () => void,
): { readonly rider: Rider; readonly bytes: Buffer } {
  const { statements } = link;
  const state = statements.state(statement, new Set());
  const isParsed = state !== 'present';
  const evicted = isParsed ? statements.sent(statement) : [];
  const closed = [...(state === 'unsure' ? [statement] : []), ...evicted];
  const bytes = Buffer.concat([
    ...closed.map(({ name }) => closeStatement(name)),
    ...(isParsed ? [statement.parse] : []),
    describeStatement(statement.name),
    sync,
  ]);
  let shape: string | undefined;
  let hasFailed = false;
  const scanner = new BackendScanner({
    onHeader: () => undefined,
    onMessage: (type, body) => {
      if (type === Backend.RowDescription || type === Backend.NoData) shape = resultShape(body);
      else if (type === Backend.ErrorResponse) hasFailed = true;
      else if (type === Backend.ParameterStatus) link.noteParameter(body);
      return undefined;
    },
  });
  scanner.isThorough = true;
  scanner.stopsAtReady = true;
  const over = (isDiscarded: boolean): void => {
    if (isParsed) statements.parsed(statement, shape !== undefined, isDiscarded);
    if (shape !== undefined) statements.shapes.set(statement, shape);
    // What it closed may be there still.
    if (hasFailed || isDiscarded) for (const each of evicted) statements.notClosed(each);
    onOver();
  };
  const rider: Rider = {
    receive: (chunk) => {
      scanner.push(chunk);
      return scanner.rest;
    },
    answered: () => over(false),
    heldUp: () => undefined,
    withdrawn: () => over(true),
    lost: () => over(true),
  };
  return { rider, bytes };
}
