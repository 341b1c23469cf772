/** How the reference writes values, and whole answers compared with it. */
import { expect } from 'vitest';
import type { Answered } from '../../fixtures/control-plane.ts';

/** ISO 8601, UTC. */
export const time: string = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

/** @param prefix with its underscore */
export function id(prefix: string): string {
  return expect.stringMatching(new RegExp(`^${prefix}[A-Za-z0-9]+$`));
}

/** The first page, and the only one. */
export function onlyPage(...data: readonly unknown[]) {
  return { data, pagination: { cursor: null, has_more: false, total: data.length } };
}

/** The envelope, nothing beside it, and what every answer says in its headers. */
export function expectError(
  answer: Answered,
  status: number,
  code: string,
  details: object = {},
): void {
  expect(answer).toMatchObject({ status });
  expect(answer.body).toEqual({
    error: {
      code,
      message: expect.stringMatching(/\S/),
      details: expect.objectContaining({ reason: expect.stringMatching(/^[a-z_]+$/), ...details }),
      request_id: id('req_'),
      status,
      timestamp: time,
    },
  });
  expect(answer.headers.get('x-request-id')).toBe(answer.body.error.request_id);
  expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
}
