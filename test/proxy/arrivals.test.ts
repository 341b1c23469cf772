import { expect, test } from 'vitest';
import { Arrivals } from '../../src/proxy/arrivals.ts';

test('room is made by whoever holds most, which behind a load balancer is a client', () => {
  const left: string[] = [];
  const arrivals = new Arrivals(4);
  const arrive = (name: string, source: string): object => {
    const connection = { name };
    arrivals.add(connection, source, () => left.push(name));
    return connection;
  };
  const greedy = ['first', 'second'].map((name) => arrive(name, 'balancer'));
  const other = arrive('other', 'balancer');
  for (const each of greedy) arrivals.isFrom(each, '192.0.2.7');
  arrivals.isFrom(other, '192.0.2.8');
  arrive('direct', '192.0.2.9');
  arrive('next', 'balancer');
  expect(left).toEqual(['first']);
  // Whoever has left stays away, wherever it came from.
  arrivals.isFrom(greedy[0]!, 'balancer');
  arrive('last', '192.0.2.8');
  expect(left).toEqual(['first', 'second']);
});
