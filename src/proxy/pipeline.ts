import type { HatiError } from '../errors.ts';
import type { JudgementMeter, Stopwatch } from '../metrics/judgement-meter.ts';
import type { StatementTrace } from '../metrics/tracing.ts';
import type { Catalogue } from '../policy/catalogue.ts';
import type { DefinitionCount, KeyDirectory, Principal } from '../ports.ts';
import type { StatementReader } from '../sql/reader.ts';
import { ddlVerb, type ClassifiedText, type Statement } from '../sql/statement.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import { classOf } from './statement-class.ts';
import { admit } from './steps/admit.ts';
import { authorizeStep } from './steps/authorize.ts';
import { identify } from './steps/identify.ts';
import { read } from './steps/read.ts';
import { route } from './steps/route.ts';
import { standIn } from './steps/stand-in.ts';

/**
 * The way of one statement text, from the client to a decision. Read this first.
 *
 * A step looks at the request and either lets it go on (`undefined`) or decides. Nothing happens between the steps,
 * and none of them writes to a socket: the session carries the decision out.
 */
export const pipeline: readonly Step[] = [
  admit, // is the key still alive?                          28P01
  read, // parse and classify, every statement to the bottom  42601, 54001, 22021
  standIn, // the part of a system view that the key may see
  identify, // keep the agent's name on what the engine shows
  authorizeStep, // may this key do all of it?               42501
  route, // the engine's to run, or ours to answer           0A000
];

export type Step = (request: StatementRequest) => StepResult | Promise<StepResult>;
export type StepResult = Decision | undefined;

/** What the session shall do. */
export type Decision =
  /** Send it to the engine: `text` in place of the client's own where it is given. */
  | {
      readonly action: 'forward';
      readonly text: string | undefined;
      /** It ends all prepared statements of the session: DISCARD ALL, DEALLOCATE ALL. */
      readonly endsPrepared: boolean;
      readonly classified: ClassifiedText;
    }
  | { readonly action: 'refuse'; readonly error: HatiError }
  /** Ours to answer: every statement of the text has `system` set. */
  | { readonly action: 'answer'; readonly statements: readonly Statement[] };

export interface StatementRequest {
  /** The bytes as sent, without the terminator; after `identify`, what is sent in their place. */
  text: Buffer;
  /** OIDs that Parse declares for its parameters. */
  readonly parameterTypes: readonly number[];
  readonly principal: Principal;
  /** Where the session looks names up. */
  readonly searched: SearchedSchemas;
  readonly parts: PipelineParts;
  /** Set by `read`. */
  classified: ClassifiedText | undefined;
  /** What shall be sent in place of the client's text. */
  replacement: string | undefined;
  /** Where its steps are timed; see `metrics/judgement-meter.ts`. */
  readonly stopwatch: Stopwatch | undefined;
  /** Where tracing is on. */
  readonly trace: StatementTrace | undefined;
}

export interface PipelineParts {
  readonly keys: Pick<KeyDirectory, 'isCurrent'>;
  readonly reader: Pick<StatementReader, 'read'>;
  /** What the database has beside PostgreSQL's own. */
  readonly catalogue: () => Catalogue;
  /** Whether it knows of all that was defined through proxies of the store. */
  readonly isCatalogueCurrent: () => boolean;
  /** Resolves when `catalogue()` is as new as this call. */
  readonly freshenCatalogue: () => Promise<void>;
  /** Two assemblies exist: the product's, and the one of a test that takes the first lock out. */
  readonly steps: readonly Step[];
  readonly definitions: DefinitionCount;
  readonly meter: JudgementMeter;
}

/** Synchronous unless a step had to wait. Rejects or throws only on faults that are not the client's. */
export function decide(
  asked: Pick<
    StatementRequest,
    'text' | 'parameterTypes' | 'principal' | 'searched' | 'parts' | 'trace'
  >,
): Decision | Promise<Decision> {
  const { text, parameterTypes, principal, searched, parts, trace } = asked;
  return runFrom(0, {
    text,
    parameterTypes,
    principal,
    searched,
    parts,
    trace,
    classified: undefined,
    replacement: undefined,
    stopwatch: parts.meter.stopwatch(trace),
  });
}

function runFrom(first: number, request: StatementRequest): Decision | Promise<Decision> {
  const { steps } = request.parts;
  for (let at = first; at < steps.length; at += 1) {
    const step = steps[at]!;
    const result = step(request);
    if (result instanceof Promise) {
      return result.then((decision) => {
        request.stopwatch?.lap(step.name);
        return decision === undefined ? runFrom(at + 1, request) : counted(request, decision);
      });
    }
    request.stopwatch?.lap(step.name);
    if (result !== undefined) return counted(request, result);
  }
  const { classified } = request;
  if (classified === undefined) throw new Error('a pipeline without read');
  const { statements } = classified;
  if (statements.some(defines)) request.parts.definitions.changed();
  return counted(request, {
    action: 'forward',
    text: request.replacement,
    endsPrepared: statements.some(endsPrepared),
    classified,
  });
}

function counted(request: StatementRequest, decision: Decision): Decision {
  const { classified } = request;
  if (classified === undefined) count(request, 'unread', decision);
  else for (const statement of classified.statements) count(request, classOf(statement), decision);
  return decision;
}

function count({ parts, trace }: StatementRequest, statementClass: string, { action }: Decision) {
  parts.meter.count(statementClass, action);
  trace?.judged(statementClass, action);
}

/** Code that nobody can read may define as well. */
/** Of a temporary table only its own session knows. */
function defines({ acts, effects }: Statement): boolean {
  if (effects.includes('temporaryTable')) return false;
  return acts.some((act) => act.verb === ddlVerb || act.class === 'routine');
}

function endsPrepared({ effects }: Statement): boolean {
  return effects.includes('endsPrepared');
}
