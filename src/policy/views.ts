import type { RelationRef, Statement } from '../sql/statement.ts';
import { named, type Surroundings, type UserRelation } from './catalogue.ts';
import type { Refusal } from './refusal.ts';

/**
 * A view runs the functions of its definition as whoever reads it. So they are judged as if they stood in the statement,
 * those of the views that it reads as well. Which relations it reads is its owner's to decide.
 */
export function judgeView(
  ref: RelationRef,
  { catalogue, searched }: Surroundings,
  judge: (view: Statement, around: Surroundings) => Refusal | undefined,
): Refusal | undefined {
  if (!catalogue.relations.has(ref.name)) return undefined;
  const spelt = ref.schema === undefined ? ref.name : `${ref.schema}.${ref.name}`;
  // What PostgreSQL prints of a view has a schema wherever pg_catalog is not meant.
  const inside: Surroundings = { catalogue, searched: new Set() };
  const seen = new Set<View>();
  const waiting = [...views(ref, { catalogue, searched })];
  for (let view = waiting.pop(); view; view = waiting.pop()) {
    if (seen.has(view)) continue;
    seen.add(view);
    if (view === 'unreadable') return { code: 'view_unreadable', params: { relation: spelt } };
    const refusal = judge(view, inside);
    if (refusal)
      return { ...refusal, hint: `The view ${spelt} runs it. ${refusal.hint ?? ''}`.trimEnd() };
    for (const inner of view.relations) waiting.push(...views(inner, inside));
  }
  return undefined;
}

type View = NonNullable<UserRelation['view']>;

function views(ref: RelationRef, { catalogue, searched }: Surroundings): readonly View[] {
  return named(catalogue.relations, ref, searched).flatMap(({ view }) => (view ? [view] : []));
}
