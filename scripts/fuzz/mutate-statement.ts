import { hostileExpressions } from './hostile-expressions.ts';
import {
  hostileRelations,
  hostileStatements,
  intoClauses,
  lockingClauses,
  wrappings,
} from './hostile-sql.ts';
import type { Random } from './random.ts';
import { closing, cut, replaced, textOf, type Cut, type SiteKind, type Tokens } from './tokens.ts';

/** Makes a new text of the statement, or undefined when it has no place for this. */
type Mutation = (statement: Cut, pool: StatementPool, random: Random) => Tokens | undefined;

/** The statements that are cut up, and the subtrees that are in them. */
export class StatementPool {
  readonly #own: readonly Cut[];
  readonly #more: readonly Cut[];
  readonly #fragments = new Map<SiteKind, Tokens[]>();

  /**
   * Texts that the grammar does not read are left out.
   * @param own fit the database that they are run in; `more` lend their forms
   */
  constructor(own: readonly string[], more: readonly string[] = []) {
    this.#own = own.map(cut).filter((one) => one !== undefined);
    this.#more = more.map(cut).filter((one) => one !== undefined);
    for (const { tokens, sites } of [...this.#own, ...this.#more])
      for (const { kind, start, end } of sites)
        this.#fragmentsOf(kind).push(tokens.slice(start, end));
  }

  statement(random: Random): Cut {
    const isOther = this.#more.length > 0 && random.chance(0.4);
    return random.pick(isOther ? this.#more : this.#own);
  }

  fragment(kind: SiteKind, random: Random): Tokens | undefined {
    const all = this.#fragmentsOf(kind);
    return all.length === 0 ? undefined : random.pick(all);
  }

  #fragmentsOf(kind: SiteKind): Tokens[] {
    const known = this.#fragments.get(kind);
    if (known) return known;
    const made: Tokens[] = [];
    this.#fragments.set(kind, made);
    return made;
  }
}

/** A text made from the pool's by one to three changes; nearly all of them are statements still. */
export function mutatedStatement(pool: StatementPool, random: Random): string {
  let statement = pool.statement(random);
  for (let changes = 1 + random.below(3); changes > 0; changes -= 1) {
    const text = changedText(statement, pool, random);
    const next = cut(text);
    // What is no statement any more goes out as it is: the scanner and the grammar have their say as well.
    if (next === undefined) return text;
    statement = next;
  }
  return textOf(statement.tokens);
}

/** Tries some places before it settles for a text that the grammar does not read. */
function changedText(statement: Cut, pool: StatementPool, random: Random): string {
  let text = textOf(statement.tokens);
  for (let tries = 0; tries < 6; tries += 1) {
    const tokens = random.pick(mutations)(statement, pool, random);
    if (tokens === undefined) continue;
    text = textOf(tokens);
    if (cut(text) !== undefined) return text;
  }
  return text;
}

const swapSubtree: Mutation = ({ tokens, sites }, pool, random) => {
  if (sites.length === 0) return undefined;
  const site = random.pick(sites);
  const fragment = pool.fragment(site.kind, random);
  return fragment && replaced(tokens, site, fragment);
};

function hostileAt(kind: SiteKind, hostile: readonly string[]): Mutation {
  return ({ tokens, sites }, _pool, random) => {
    const places = sites.filter((site) => site.kind === kind);
    return places.length === 0
      ? undefined
      : replaced(tokens, random.pick(places), [random.pick(hostile)]);
  };
}

const hostileSubselect: Mutation = ({ tokens, sites }, _pool, random) => {
  const places = sites.filter(({ kind }) => kind === 'subselect');
  if (places.length === 0) return undefined;
  return replaced(tokens, random.pick(places), ['(', random.pick(hostileStatements), ')']);
};

const addCte: Mutation = ({ tokens }, pool, random) => {
  const starts = indexesOf(tokens, /^(select|values|table|insert|update|delete|merge)$/i);
  const withs = indexesOf(tokens, /^with$/i);
  const inner = random.chance(0.7)
    ? [random.pick(hostileStatements)]
    : pool.statement(random).tokens;
  const cte = ['z', 'AS', ...random.pick([[], ['MATERIALIZED']]), '(', ...inner, ')'];
  if (withs.length > 0 && random.chance(0.5)) {
    const at = random.pick(withs) + 1;
    return replaced(tokens, { start: at, end: at }, [...cte, ',']);
  }
  if (starts.length === 0) return undefined;
  const at = random.pick(starts);
  return replaced(tokens, { start: at, end: at }, ['WITH', ...cte]);
};

/** At the end of a query: of the whole text, or before a bracket closes. */
const addLock: Mutation = ({ tokens, sites }, _pool, random) => {
  const ends = sites.filter(({ kind }) => kind === 'subselect').map(({ end }) => end - 1);
  const at = random.pick([tokens.length, ...ends]);
  return replaced(tokens, { start: at, end: at }, [random.pick(lockingClauses)]);
};

const addInto: Mutation = ({ tokens }, _pool, random) => {
  const froms = indexesOf(tokens, /^(from|where|union|limit|order)$/i);
  const at = random.pick([tokens.length, ...froms]);
  return replaced(tokens, { start: at, end: at }, [random.pick(intoClauses)]);
};

const wrap: Mutation = ({ tokens }, _pool, random) =>
  random
    .pick(wrappings)
    .split(/(\?)/)
    .flatMap((part) => (part === '?' ? tokens : [part]))
    .filter((part) => part !== '');

const wrapHostile: Mutation = (_statement, pool, random) => {
  const hostile = random.pick(hostileStatements);
  return wrap({ tokens: [hostile], sites: [] }, pool, random);
};

const concatenate: Mutation = ({ tokens }, pool, random) => {
  const other = random.chance(0.6)
    ? [random.pick(hostileStatements)]
    : pool.statement(random).tokens;
  return random.chance(0.5) ? [...tokens, ';', ...other] : [...other, ';', ...tokens];
};

/** The same name in other clothes: the engine folds, unquotes and unescapes it. */
const respell: Mutation = ({ tokens }, _pool, random) => {
  const names = indexesOf(tokens, /^[a-z_]\w*$/);
  if (names.length === 0) return undefined;
  const at = random.pick(names);
  const name = tokens[at]!;
  const spellings = [
    name.toUpperCase(),
    `"${name}"`,
    `U&"\\${name.charCodeAt(0).toString(16).padStart(4, '0')}${name.slice(1)}"`,
    `pg_catalog.${name}`,
    `public.${name}`,
    `${name}/* ; */`,
    `${name} -- x\n`,
  ];
  return replaced(tokens, { start: at, end: at + 1 }, [random.pick(spellings)]);
};

const dropRange: Mutation = ({ tokens }, _pool, random) => {
  const start = random.below(tokens.length + 1);
  return replaced(tokens, { start, end: Math.min(tokens.length, start + 1 + random.below(4)) }, []);
};

const repeatRange: Mutation = ({ tokens }, _pool, random) => {
  const start = random.below(tokens.length + 1);
  const range = tokens.slice(start, start + 1 + random.below(8));
  const at = random.below(tokens.length + 1);
  return replaced(tokens, { start: at, end: at }, range);
};

/** A group in brackets takes the place of another one. */
const moveGroup: Mutation = ({ tokens }, pool, random) => {
  const opens = indexesOf(tokens, /^\($/);
  const other = pool.statement(random).tokens;
  const theirs = indexesOf(other, /^\($/);
  if (opens.length === 0 || theirs.length === 0) return undefined;
  const [start, from] = [random.pick(opens), random.pick(theirs)];
  const group = other.slice(from, closing(other, from) + 1);
  return replaced(tokens, { start, end: closing(tokens, start) + 1 }, group);
};

/** More than once where more of the cases shall come from. */
const mutations: readonly Mutation[] = [
  ...[swapSubtree, swapSubtree, swapSubtree, moveGroup],
  ...[hostileAt('expression', hostileExpressions), hostileAt('expression', hostileExpressions)],
  ...[hostileAt('expression', hostileExpressions), hostileAt('relation', hostileRelations)],
  ...[hostileAt('relation', hostileRelations), hostileSubselect, addCte, addCte, addLock, addInto],
  ...[wrap, wrap, wrapHostile, concatenate, respell, respell, dropRange, repeatRange],
];

function indexesOf(tokens: Tokens, pattern: RegExp): readonly number[] {
  return tokens.flatMap((token, index) => (pattern.test(token) ? [index] : []));
}
