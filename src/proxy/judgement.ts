import { HatiError } from '../errors.ts';
import type { SessionMeter } from '../metrics/session-meter.ts';
import { authorizeFunctionCall } from '../policy/large-objects.ts';
import { sessionUse, type SessionUse } from '../policy/session-use.ts';
import type { Principal } from '../ports.ts';
import type { ClassifiedText } from '../sql/statement.ts';
import type { ExtendedQuery } from './extended-query.ts';
import { decide, type Decision, type PipelineParts } from './pipeline.ts';
import type { PreparedStatements } from './prepared-statements.ts';
import type { SearchedSchemas } from './searched-schemas.ts';
import type { Turns } from './turns.ts';

export interface JudgementParts {
  readonly turns: Turns;
  readonly judged: PreparedStatements;
  readonly extended: ExtendedQuery;
  readonly meter: SessionMeter;
  readonly principal: Principal;
  readonly searched: SearchedSchemas;
  readonly pipeline: PipelineParts;
  /** Told of each text that goes to the engine. */
  readonly onText: (text: ClassifiedText) => void;
}

/** What is decided on a text: by the pipeline, and then by what is prepared in the session and may be kept in it. */
export class Judgement {
  private readonly parts: JudgementParts;

  constructor(parts: JudgementParts) {
    this.parts = parts;
  }

  /** Decides on a text and goes on with the decision, at once where no step had to wait. */
  judge(
    statement: { readonly text: Buffer; readonly parameterTypes: readonly number[] },
    then: (decision: Decision) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    const { turns, principal, pipeline, searched, meter } = this.parts;
    // What is skipped is not judged, and not answered.
    if (turns.isSkipping) return undefined;
    const trace = meter.traces?.current;
    const { text, parameterTypes } = statement;
    const decision = decide({ text, parameterTypes, principal, searched, parts: pipeline, trace });
    if (!(decision instanceof Promise)) return this.onceDecided(decision, then);
    // The error that makes the engine skip may have come meanwhile.
    return decision.then((made) => (turns.isSkipping ? undefined : this.onceDecided(made, then)));
  }

  /** @returns why the function may not be called by its number; undefined where it may. */
  ofFunctionCall(oid: number): HatiError | undefined {
    const { principal, pipeline } = this.parts;
    return pipeline.keys.isCurrent(principal)
      ? authorizeFunctionCall(principal.authority, oid)
      : new HatiError('invalid_api_key');
  }

  useOf(text: ClassifiedText): SessionUse {
    const { pipeline, searched } = this.parts;
    const catalogue = pipeline.catalogue();
    const use = sessionUse(text, { catalogue, searched: searched.within(catalogue) });
    if (pipeline.isCatalogueCurrent() || use.leaves === 'code') return use;
    // A view or a trigger may have been made a moment ago.
    const touches = text.statements.some(({ relations }) => relations.length > 0);
    return touches ? { ...use, leaves: 'code' } : use;
  }

  /** Which statements it names must be known. */
  private onceDecided(
    decision: Decision,
    then: (decision: Decision) => Promise<void> | undefined,
  ): Promise<void> | undefined {
    const { extended } = this.parts;
    const mustWait =
      decision.action === 'forward' && extended.runs.areUndecided(decision.classified);
    if (!mustWait) return then(this.checked(decision));
    return extended.decided().then((goesOn) => (goesOn ? then(this.checked(decision)) : undefined));
  }

  private checked(decision: Decision): Decision {
    const { judged, extended, onText } = this.parts;
    if (decision.action !== 'forward') return decision;
    const { classified } = decision;
    const { runs } = extended;
    const whole = runs.whole(classified);
    const error = runs.fault(whole) ?? runs.nameFault(classified);
    if (error !== undefined) return { action: 'refuse', error };
    for (const text of whole.texts) judged.running(text);
    onText(classified);
    return decision;
  }
}
