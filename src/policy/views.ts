import { first } from '../shared/first.ts';
import type { RelationRef, Statement } from '../sql/statement.ts';
import { isUnrestricted, nameOf, type Authority } from './authority.ts';
import { isConvertible } from './types.ts';
import { named, type Surroundings, type UserRelation } from './catalogue.ts';
import { isCallable, refusedFunction, userHint } from './functions.ts';
import { adminHint, type Refusal } from './refusal.ts';
import { refuseSetting } from './settings.ts';

/**
 * What reading a relation runs: a view the functions of its definition, a row policy those of its condition, as whoever
 * reads. So they are judged as if they stood in the statement, those of the views that it reads as well. Which relations
 * and columns a view reads is its owner's to decide, so limits don't count in there.
 */
export function judgeReadings(
  limited: Authority,
  refs: readonly RelationRef[],
  around: Surroundings,
  judge: (authority: Authority, view: Statement, around: Surroundings) => Refusal | undefined,
): Refusal | undefined {
  // What several of them read is judged once.
  const seen = new Set<UserRelation>();
  for (const ref of refs) {
    const refusal = judgeReading(limited, ref, around, judge, seen);
    if (refusal) return refusal;
  }
  return undefined;
}

function judgeReading(
  limited: Authority,
  ref: RelationRef,
  { catalogue, searched }: Surroundings,
  judge: (authority: Authority, view: Statement, around: Surroundings) => Refusal | undefined,
  seen: Set<UserRelation>,
): Refusal | undefined {
  if (isUnrestricted(limited) || !catalogue.relations.has(ref.name)) return undefined;
  const authority = { ...limited, limits: undefined };
  const spelt = ref.schema === undefined ? ref.name : `${ref.schema}.${ref.name}`;
  const blame = (refusal: Refusal): Refusal => ({
    ...refusal,
    hint: `Reading ${spelt} runs it. ${refusal.hint ?? ''}`.trimEnd(),
  });
  // What PostgreSQL prints of a view has a schema wherever pg_catalog is not meant.
  const inside: Surroundings = { catalogue, searched: new Set() };
  const own = new Set(named(catalogue.relations, ref, searched));
  const waiting = [...own];
  for (let relation = waiting.pop(); relation; relation = waiting.pop()) {
    if (seen.has(relation)) continue;
    seen.add(relation);
    const { view, runs, converts } = relation;
    const isOwn = own.has(relation);
    if (view === 'unreadable') return { code: 'view_unreadable', params: { relation: spelt } };
    if (converts !== undefined && !isConvertible(isOwn ? limited : authority, converts))
      return unsafe(limited, spelt);
    const barrier = runs.find((each) => !isCallable(authority, each));
    if (barrier) return blame(refusedFunction(limited, barrier.path, userHint(barrier)));
    const refusal =
      view &&
      // What it sets outlives it, and by the search path names are looked up that stand in no view.
      (first(view.settings, (change) =>
        change.operation === 'show' ? undefined : refuseSetting(limited, change),
      ) ??
        judge(authority, view, inside));
    if (refusal) return blame(refusal);
    waiting.push(...relation.reads);
  }
  return undefined;
}

function unsafe(authority: Authority, relation: string): Refusal {
  const hint =
    'It has to do with a type whose conversion may run anything: a domain with such a check, or a type with such a cast. ' +
    adminHint;
  return { code: 'relation_not_allowed', params: { who: nameOf(authority), relation }, hint };
}
