/** The table of the grammar is total: compared with the declarations of `@pgsql/types`, read at test time. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Findings } from '../../src/sql/findings.ts';
import { grammar } from '../../src/sql/grammar.ts';
import { messageFields } from '../../src/sql/message-fields.ts';
import { walk } from '../../src/sql/walk.ts';

const library = dirname(createRequire(import.meta.url).resolve('@pgsql/types'));
const declarations = readFileSync(join(library, 'types.d.ts'), 'utf8');
const union = declarations.slice(
  declarations.indexOf('export type Node'),
  declarations.indexOf('export interface'),
);
const nodes = [...union.matchAll(/^\s+(\w+): \w+;$/gm)].map((match) => match[1]!);
const interfaces = new Map(
  [...declarations.matchAll(/export interface (\w+) \{(.*?)\n\}/gs)].map((match) => [
    match[1]!,
    match[2]!,
  ]),
);

/** `node.field: Message` for each field that holds a message by itself. */
function declaredMessageFields(): string[] {
  return nodes
    .filter((node) => grammar.get(node) !== 'unknown')
    .flatMap((node) =>
      [...(interfaces.get(node) ?? '').matchAll(/(\w+)\??: (\w+)(?:\[\])?;/g)]
        .filter((field) => interfaces.has(field[2]!))
        .map((field) => `${node}.${field[1]}: ${field[2]}`),
    );
}

describe('the table of the grammar', () => {
  test('was compared with a whole grammar', () => {
    expect(nodes.length).toBeGreaterThan(250);
    expect(nodes.filter((node) => node.endsWith('Stmt')).length).toBeGreaterThan(110);
    expect(declaredMessageFields().length).toBeGreaterThan(100);
  });

  test.each(nodes.filter((node) => node.endsWith('Stmt')))('has a rule for %s', (node) => {
    expect(grammar.has(node)).toBe(true);
  });

  test('has a rule for every other node, and none for anything else', () => {
    expect([...grammar.keys()].toSorted()).toEqual(nodes.toSorted());
  });

  test('knows the fields that hold a node without its name', () => {
    const known = [...messageFields].flatMap(([node, fields]) =>
      [...fields].map(([field, message]) => `${node}.${field}: ${message}`),
    );
    expect(known.toSorted()).toEqual(declaredMessageFields().toSorted());
  });
});

describe('the walk finds an unknown act in', () => {
  test.each([
    ['a statement of a later grammar', { FutureStmt: {} }],
    [
      'a node inside of a known one',
      { SelectStmt: { targetList: [{ FutureExpr: { location: 1 } }] } },
    ],
    ['a node of the planner', { SelectStmt: { whereClause: { Query: {} } } }],
    ['an object without a name', { SelectStmt: { future: { one: {}, two: {} } } }],
    ['a name that every object has', { constructor: {} }],
  ])('%s', (_what, tree) => {
    const findings = new Findings();
    walk(tree as never, findings);
    expect(findings.acts.map((act) => act.class)).toContain('unknown');
  });
});
